"""The carriers while somebody is erased: each reads the withdrawals on its topic, forgets, and answers."""

import asyncio
import json
import time
import uuid
from collections.abc import Mapping, Set
from datetime import UTC, datetime

from workers.cli.demo.carrier import CarrierReader, Received
from workers.cli.demo.patience import PATIENCE_S, POLL_S
from workers.cli.events import upstream
from workers.errors import LetheError
from workers.settings import Settings


async def read_until(readers: Mapping[str, CarrierReader], shipments: Set[str], event_type: str) -> list[Received]:
    """Read on until each of these shipments had such an event. Raises LetheError after two minutes."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        for reader in readers.values():
            await reader.read_to_end()
        got = [one for reader in readers.values() for one in reader.received if one.event_type == event_type]
        if shipments <= {one.shipment_id for one in got}:
            return [one for one in got if one.shipment_id in shipments]
        if time.monotonic() > deadline_s:
            raise LetheError(f"no carrier read {event_type} of all of {', '.join(sorted(shipments))}")
        await asyncio.sleep(POLL_S)


async def answer(settings: Settings, readers: Mapping[str, CarrierReader], shipments: Set[str]) -> None:
    """Acknowledge the withdrawal of each of these shipments, as its carrier."""
    for one in await read_until(readers, shipments, "address.withdrawn"):
        topic = settings.topic(f"carrier.{one.carrier}.receipts")
        await upstream.publish(settings, topic, [_acknowledged(one)])


def _acknowledged(one: Received) -> upstream.Outgoing:
    data = {"carrier": one.carrier, "withdrawal_id": one.event_id, "outcome": "erased"}
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", uuid.uuid4().hex.encode()),
        ("ce_source", f"/{one.carrier}".encode()),
        ("ce_type", b"address.withdrawal_acknowledged"),
        ("ce_time", datetime.now(UTC).isoformat().encode()),
        ("content-type", b"application/json"),
    ]
    return upstream.Outgoing(one.carrier.encode(), headers, json.dumps(data).encode())
