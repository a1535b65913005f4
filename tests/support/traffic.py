"""What the fault tests publish: orders with their later lives, refusals among them, and 5 % published twice."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from workers import carriers as carrier_files
from workers.cli.samples import orders as sample_orders
from workers.cli.samples.events import SampleEvent
from workers.settings import Settings

DUPLICATES = 0.05


def traffic(settings: Settings, orders: int, seed: int, bad: bool = True) -> list[SampleEvent]:
    """A log as an upstream leaves it behind: in order per customer, each twentieth event repeated a little later."""
    carriers = carrier_files.load(settings.carriers_dir)
    since = datetime.now(UTC) - timedelta(hours=1)
    events = sample_orders.orders(orders, seed, carriers, since, follow_ups=True, bad=bad)
    return list(_with_repetitions(events, random.Random(seed)))


def _with_repetitions(events: Iterator[SampleEvent], rng: random.Random) -> Iterator[SampleEvent]:
    for event in events:
        yield event
        if event.expected is None and rng.random() < DUPLICATES:
            yield event
