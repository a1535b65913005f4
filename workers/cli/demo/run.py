"""The demo's main job on a running platform: publish, read what the carriers get, account for every event."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from workers.cli import connections
from workers.cli.demo import checks as demo_checks
from workers.cli.demo import traffic as demo_traffic
from workers.cli.demo.carrier import CarrierReader, Received
from workers.cli.demo.checks import Check
from workers.cli.demo.traffic import Traffic
from workers.cli.events import upstream
from workers.cli.local import pages
from workers.cli.local.steps import Steps
from workers.cli.samples.events import SampleEvent
from workers.domain.carriers import Carrier
from workers.engine import dead_letters
from workers.engine.dead_letters import DeadLetter
from workers.engine.lag import LagReader
from workers.errors import LetheError
from workers.settings import Settings

_SAMPLE_S = 0.05
_DRAIN_TIMEOUT_S = 120.0
_LETTERS = 10_000


class Run(NamedTuple):
    """What happened; `lag` holds (seconds since the start of publishing, events that wait)."""

    traffic: Traffic
    received: list[Received]
    letters: list[DeadLetter]
    duplicates: int
    lag: list[tuple[float, int]]
    checks: list[Check]


async def run(
    settings: Settings,
    shop_carriers: Mapping[str, Carrier],
    carriers: Mapping[str, Carrier],
    order_count: int,
    seed: int,
    metrics_port: int,
    steps: Steps,
) -> Run:
    """Publish orders for `shop_carriers`; every one of `carriers` reads its topic. Raises LetheError."""
    async with AsyncExitStack() as stack:
        with steps.step(f"{order_count} orders are made up, {len(carriers)} carriers listen"):
            traffic = demo_traffic.make(order_count, seed, shop_carriers)
            readers = [CarrierReader(name, settings) for name in carriers]
            await asyncio.gather(*(stack.enter_async_context(reader) for reader in readers))
            lag_reader = await stack.enter_async_context(LagReader(settings.kafka_client, settings.prefix))
        lag: list[tuple[float, int]] = []
        with steps.step(f"{len(traffic.events)} events are published and worked off"):
            sampling = asyncio.create_task(_watch(lag_reader, settings, len(traffic.events), lag))
            try:
                await upstream.publish(settings, settings.topic("orders"), map(_outgoing, traffic.events))
                await asyncio.wait_for(sampling, _DRAIN_TIMEOUT_S)
            except TimeoutError:
                raise LetheError(f"the workers did not finish within {_DRAIN_TIMEOUT_S:.0f} s") from None
            finally:
                sampling.cancel()
        with steps.step("Every carrier has read its topic"):
            await asyncio.gather(*(reader.read_to_end() for reader in readers))
            received = [one for reader in readers for one in reader.received]
        async with connections.database(settings) as connection:
            letters = await dead_letters.find_all(connection, None, None, None, _LETTERS)
    duplicates = await asyncio.to_thread(_duplicates, settings, metrics_port)
    refused = Counter(letter.code for letter in letters)
    checks = demo_checks.check(traffic, received, refused, duplicates, carriers)
    return Run(traffic, received, letters, duplicates, lag, checks)


def example(run: Run, carriers: Mapping[str, Carrier]) -> Received:
    """The assigned address of the order of which most was left out."""

    def left_out(one: Received) -> tuple[int, int]:
        ship_to = run.traffic.orders[one.shipment_id]["ship_to"]
        fields = len(ship_to) - 1 + len(ship_to["lines"])
        return fields - len(one.address or ()), fields

    assigned = [one for one in run.received if one.event_type == "address.assigned" and one.carrier in carriers]
    if not assigned:
        raise LetheError("no carrier read an address")
    return max(assigned, key=left_out)


async def _watch(reader: LagReader, settings: Settings, total: int, samples: list[tuple[float, int]]) -> None:
    """Sample the shipping group's lag until it has published what became of all `total` records."""
    started_s = time.monotonic()
    while True:
        rows = await reader.read([settings.group("shipping")])
        waiting = sum(row.lag for row in rows)
        samples.append((time.monotonic() - started_s, waiting))
        if waiting == 0 and sum(row.end for row in rows) >= total:
            return
        await asyncio.sleep(_SAMPLE_S)


def _outgoing(event: SampleEvent) -> upstream.Outgoing:
    return upstream.Outgoing(event.key, event.headers, event.value)


def _duplicates(settings: Settings, port: int) -> int:
    """The shipping worker's own count of events that it had applied before."""
    _, text = pages.get(f"http://{settings.web_host}:{port}/metrics", timeout_s=60)
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return int(sum(sample.value for sample in samples if sample.name == "lethe_duplicates_total"))
