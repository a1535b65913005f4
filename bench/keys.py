"""Key rotation: every data key wrapped anew and the old epoch destroyed, while the shipping worker takes in orders."""

import asyncio
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg
from confluent_kafka import Producer

from bench import contender as contenders
from bench import source
from bench.contender import LETHE, Contender
from bench.observer import Report
from bench.site import QUIET, BenchError, Site
from workers.vault import keyring, rotation
from workers.vault.keyring import Keyring
from workers.vault.subjects import SubjectVault

_SLICE = 5000
_ORDERS_PER_S = 1000
_FIRST_ORDERS = 500
_DRAIN_TIMEOUT_S = 60


class Rotated(NamedTuple):
    """`seconds` from the command to the destroyed epoch; `orders_per_s` that the worker applied meanwhile."""

    subjects: int
    seconds: float
    orders_per_s: float
    offered_per_s: float


def measure(site: Site, subjects: int, seed: int, report: Report) -> Rotated:
    """Rotate once. Raises BenchError when a key was left behind or an order was not applied."""
    own = dataclasses.replace(site, data_dir=site.data_dir / "rotation")  # a keyring of its own: its epoch goes
    own.data_dir.mkdir()
    keyring.create(own.keyring_dir)
    given = source.publish(own, "k.", _FIRST_ORDERS, seed)
    with Contender(own, LETHE, given, "k.", 2000) as contender:
        contenders.wait_started(contender)
        return asyncio.run(_measure(own, contender, given, subjects, seed + 1, report))


async def _measure(
    site: Site, contender: Contender, given: source.Source, subjects: int, seed: int, report: Report
) -> Rotated:
    pool = await asyncpg.create_pool(contender.dsn, min_size=1, max_size=4)
    try:
        await fill(pool, keyring.load(site.keyring_dir), subjects, report)
        with _orders(site, given.topic, seed) as offered:
            before, offered_before, started_s = contender.applied(), offered(), time.monotonic()
            done = await rotation.rotate(pool, site.keyring_dir, lambda: datetime.now(UTC))
            seconds = time.monotonic() - started_s
            applied, offered_meanwhile = contender.applied() - before, offered() - offered_before
        left = await pool.fetchval("select count(*) from subjects where key_epoch <> $1", done.current_epoch)
        if left or done.rewrapped < subjects:
            raise BenchError(f"{left} data keys were left under the old epoch, {done.rewrapped} were wrapped anew")
        _drain(contender, given.records + offered())
        return Rotated(subjects, seconds, applied / seconds, offered_meanwhile / seconds)
    finally:
        await pool.close()


async def fill(pool: asyncpg.Pool, ring: Keyring, subjects: int, report: Report) -> None:
    """So many people who have a data key each, and nothing else."""
    vault = SubjectVault(ring)
    for start in range(0, subjects, _SLICE):
        names = [f"bench-{number}" for number in range(start, min(start + _SLICE, subjects))]
        async with pool.acquire() as connection, connection.transaction():
            await vault.hold(connection, [vault.reference_hash(name) for name in names])
        report((start + len(names)) / subjects)


@contextmanager
def _orders(site: Site, topic: str, seed: int) -> Iterator[Callable[[], int]]:
    """Orders at a steady pace from a thread of its own, until the block ends; the value tells how many so far."""
    ended, counted = threading.Event(), [0]
    options = {"bootstrap.servers": site.stack.bootstrap, "enable.idempotence": True, "linger.ms": 5}
    producer = Producer({**options, "partitioner": "murmur2_random"}, logger=QUIET)

    def produce() -> None:
        started_s = time.monotonic()
        for event in source.events(site, 10_000_000, seed):
            if ended.is_set():
                return
            producer.produce(topic, event.value, event.key, headers=list(event.headers))
            producer.poll(0)
            counted[0] += 1
            time.sleep(max(0.0, started_s + counted[0] / _ORDERS_PER_S - time.monotonic()))

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        yield lambda: counted[0]
    finally:
        ended.set()
        thread.join()
        if producer.flush(_DRAIN_TIMEOUT_S):
            raise BenchError("the orders could not be published: the broker is too slow")


def _drain(contender: Contender, wanted: int) -> None:
    deadline_s = time.monotonic() + _DRAIN_TIMEOUT_S
    while contender.applied() < wanted:
        contender.check()
        if time.monotonic() > deadline_s:
            raise contender.fail(f"{contender.applied()} of {wanted} orders were applied")
        time.sleep(0.05)
