"""People with orders, subscriptions and rows downstream, who ask to be erased; and what is left of them."""

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg

from tests.support import lethe
from tests.support.consents import given
from tests.support.orders import Published
from workers.cli import connections
from workers.settings import Settings


def headers(event_type: str, time: datetime | None = None) -> list[tuple[str, bytes]]:
    """CloudEvents attributes of an event that happens now."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", uuid.uuid4().hex.encode()),
        ("ce_source", b"/shop/account"),
        ("ce_type", event_type.encode()),
        ("ce_time", (time or datetime.now(UTC)).isoformat().encode()),
        ("content-type", b"application/json"),
    ]


def asked(
    reference: str | None, email: str | None = None, request_id: uuid.UUID | None = None
) -> tuple[uuid.UUID, Published]:
    """An erasure.requested and its number."""
    number = request_id or uuid.uuid4()
    identities = []
    if reference is not None:
        identities.append({"identity_type": "controller_customer_id", "identity_value": reference})
    if email is not None:
        identities.append({"identity_type": "email", "identity_value": email})
    body = {
        "subject_request_id": str(number),
        "submitted_time": datetime.now(UTC).isoformat(),
        "subject_identities": identities,
        "language": "fr",
    }
    return number, Published(str(number).encode(), headers("erasure.requested"), json.dumps(body).encode())


def cancelled(number: uuid.UUID) -> Published:
    """An erasure.cancelled."""
    body = json.dumps({"subject_request_id": str(number)}).encode()
    return Published(str(number).encode(), headers("erasure.cancelled"), body)


def order(reference: str, order_id: str, name: str, email: str, time: datetime | None = None) -> Published:
    """An order that goes to a carrier at once, with an address that names the person."""
    body = {
        "order_id": order_id,
        "customer_ref": reference,
        "carrier": "gls",
        "contact_consent": True,
        "ship_to": {
            "name": name, "lines": [f"{len(name)} {name} Street"], "city": "Paris", "postal_code": "75011",
            "country_code": "FR", "email": email,
        },
    }  # fmt: skip
    return Published(reference.encode(), headers("order.placed", time), json.dumps(body).encode())


def subscribed(reference: str, email: str) -> Published:
    """A consent with the shop's own double opt-in: in force at once."""
    now = datetime.now(UTC)
    return given(
        reference, email, time=now, double_opt_in={"confirmed_at": now.isoformat(), "evidence": {"reference": "1"}}
    )


def rows(settings: Settings, query: str, *values: Any) -> list[asyncpg.Record]:
    """What a query finds."""

    async def read() -> list[asyncpg.Record]:
        async with connections.database(settings) as connection:
            return list(await connection.fetch(query, *values))

    return lethe.in_a_loop(read())


def states(settings: Settings, numbers: Sequence[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Where these requests stand."""
    found = rows(settings, "select request_id, state from requests where request_id = any($1::uuid[])", list(numbers))
    return {row["request_id"]: row["state"] for row in found}
