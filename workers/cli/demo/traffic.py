"""What the demo publishes, and what must become of it: worked out from the events, without Lethe's code."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from workers.cli.samples import orders as sample_orders
from workers.cli.samples.events import SampleEvent
from workers.domain.carriers import Carrier
from workers.errors import RefusalCode

DUPLICATE_SHARE = 0.05
_DUPLICATE_WITHIN = 60


class Told(NamedTuple):
    """One notice that a carrier must get."""

    carrier: str
    event_type: str


class Traffic(NamedTuple):
    """Events in the order of publication, repetitions among them, and what is to be expected."""

    events: list[SampleEvent]
    orders: dict[str, dict[str, Any]]
    notices: dict[str, list[Told]]
    refusals: Counter[RefusalCode]
    duplicates: int


def make(count: int, seed: int, carriers: Mapping[str, Carrier], now: datetime | None = None) -> Traffic:
    """`count` orders with the later life of some, bad events strewn in, and a twentieth published twice."""
    since = (now or datetime.now(UTC)) - timedelta(milliseconds=count)
    events = list(sample_orders.orders(count, seed, carriers, since, follow_ups=True, bad=True))
    good = [event for event in events if event.expected is None]
    published, duplicates = _with_repetitions(events, random.Random(seed))  # noqa: S311  (repeatable, no secret)
    orders = {body["order_id"]: body for event in good if "ship_to" in (body := _body(event)) and "carrier" in body}
    refusals = Counter(event.expected for event in events if event.expected is not None)
    return Traffic(published, orders, expected_notices(good), refusals, duplicates)


def expected_notices(events: Iterable[SampleEvent]) -> dict[str, list[Told]]:
    """For each shipment what its carriers must be told, in order."""
    told: dict[str, list[Told]] = {}
    carriers: dict[str, str] = {}
    waiting: set[str] = set()
    for event in events:
        body = _body(event)
        order = body["order_id"]
        if event.type == "order.placed":
            carriers[order], told[order] = body["carrier"], []
        if event.type == "order.placed" and body.get("wait_for_ready"):
            waiting.add(order)
        elif event.type in ("order.placed", "order.ready"):
            waiting.discard(order)
            told[order].append(Told(carriers[order], "address.assigned"))
        elif order not in waiting:
            corrected = event.type == "order.address_changed"
            told[order].append(Told(carriers[order], "address.corrected" if corrected else "address.withdrawn"))
    return told


def _with_repetitions(events: list[SampleEvent], rng: random.Random) -> tuple[list[SampleEvent], int]:
    """Some good events a second time, a little later, as an upstream repeats what was not acknowledged."""
    placed: list[tuple[float, SampleEvent]] = [(number, event) for number, event in enumerate(events)]
    again = [
        (number + rng.randint(1, _DUPLICATE_WITHIN) + 0.5, event)
        for number, event in enumerate(events)
        if event.expected is None and rng.random() < DUPLICATE_SHARE
    ]
    return [event for _, event in sorted(placed + again, key=lambda pair: pair[0])], len(again)


def _body(event: SampleEvent) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(event.value)
    return body
