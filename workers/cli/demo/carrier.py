"""Carriers as they are outside of Lethe: each reads its own topic with a group of its own, read_committed."""

import asyncio
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from topics.catalogue import ROLLER_KEY
from workers.settings import Settings

_POLL_MS = 100
_PATIENCE_POLLS = 300


class Received(NamedTuple):
    """One record as its carrier read it; `address` is None where it was withdrawn."""

    carrier: str
    shipment_id: str
    event_type: str
    event_id: str
    address: dict[str, str] | None


class CarrierReader:
    """One carrier's consumer. `received` grows while `read_to_end` runs."""

    def __init__(self, name: str, settings: Settings) -> None:
        from aiokafka import AIOKafkaConsumer

        self.name = name
        self.received: list[Received] = []
        self._consumer = AIOKafkaConsumer(
            settings.topic(f"carrier.{name}.addresses"),
            **settings.kafka_client,
            group_id=f"{settings.prefix}carrier.{name}",
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=_POLL_MS,
        )

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    async def read_to_end(self) -> None:
        """Read everything that is committed by now, then commit the group. Raises TimeoutError."""
        for _ in range(_PATIENCE_POLLS):
            if self._consumer.assignment():
                break
            await asyncio.sleep(_POLL_MS / 1000)
        ends: Mapping[Any, int] = await self._consumer.end_offsets(self._consumer.assignment())
        for _ in range(_PATIENCE_POLLS):
            fetched = await self._consumer.getmany(timeout_ms=_POLL_MS)
            for records in fetched.values():
                self.received += [self._received(record) for record in records if record.key != ROLLER_KEY]
            positions = [await self._consumer.position(partition) for partition in ends]
            if all(position >= end for position, end in zip(positions, ends.values(), strict=True)):
                await self._consumer.commit()
                return
        raise TimeoutError(self.name)

    def _received(self, record: Any) -> Received:
        headers = {name: value.decode() for name, value in record.headers}
        address = None if record.value is None else json.loads(record.value)["address"]
        return Received(self.name, record.key.decode(), headers["ce_type"], headers["ce_id"], address)
