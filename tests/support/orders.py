"""Order events in the few lines that a test wants to read: as models, as records, as what an upstream publishes."""

import itertools
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from aiokafka import ConsumerRecord

from schemas.recipient import Recipient

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SHIP_TO = {
    "name": "Erika Beispiel",
    "lines": ["Musterweg 12"],
    "city": "Musterstadt",
    "postal_code": "12345",
    "country_code": "DE",
}
_numbers = itertools.count(1)


class Published(NamedTuple):
    """One record on its way to a topic."""

    key: bytes | None
    headers: list[tuple[str, bytes]]
    value: bytes | None


def recipient(**changed: Any) -> Recipient:
    """An invented recipient in Germany."""
    return Recipient.model_validate_json(json.dumps({**SHIP_TO, **changed}))


def event(
    event_type: str,
    order_id: str = "o1",
    customer: str = "c1",
    *,
    event_id: str = "",
    source: str = "/shop",
    time: datetime = NOW,
    key: bytes | None = None,
    headers: Sequence[tuple[str, bytes]] = (),
    **data: Any,
) -> Published:
    """One event in binary mode; `event_id` defaults to a fresh one, `key` to the customer."""
    body = {"order_id": order_id, "customer_ref": customer, **data}
    named = event_id or f"event-{next(_numbers)}"  # unlike any that a test chooses
    attributes = {
        "ce_specversion": "1.0", "ce_id": named, "ce_source": source, "ce_type": event_type,
        "ce_time": time.isoformat(), "content-type": "application/json",
    }  # fmt: skip
    encoded = [(name, value.encode()) for name, value in attributes.items()]
    return Published(customer.encode() if key is None else key, [*encoded, *headers], json.dumps(body).encode())


def placed(order_id: str = "o1", customer: str = "c1", carrier: str = "gls", **more: Any) -> Published:
    """`order.placed`; further data and attributes as in `event`."""
    return event("order.placed", order_id, customer, **{"carrier": carrier, "ship_to": SHIP_TO, **more})


def structured(published: Published) -> Published:
    """The same event in the structured mode."""
    attributes = {name: value.decode() for name, value in published.headers}
    body = {name.removeprefix("ce_"): value for name, value in attributes.items() if name.startswith("ce_")}
    body["data"] = json.loads(published.value or b"null")
    headers = [("content-type", b"application/cloudevents+json")]
    return Published(published.key, headers, json.dumps(body).encode())


def record(published: Published, offset: int = 0, partition: int = 0, topic: str = "orders") -> ConsumerRecord:
    """The event as it is read from the log."""
    return ConsumerRecord(
        topic=topic, partition=partition, offset=offset, timestamp=int(NOW.timestamp() * 1000), timestamp_type=1,
        key=published.key, value=published.value, checksum=None, serialized_key_size=len(published.key or b""),
        serialized_value_size=len(published.value or b""), headers=tuple(published.headers),
    )  # fmt: skip


def records(events: Sequence[Published], start: int = 0, partition: int = 0, topic: str = "orders") -> list[Any]:
    """Events one after the other in one partition, from offset `start` on."""
    return [record(one, start + number, partition, topic) for number, one in enumerate(events)]
