"""The shipping agent's batch transaction on a real PostgreSQL, without Kafka: a log in memory is read in batches."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from tests.support.lethe import ROOT
from tests.support.orders import NOW, Published, record
from workers import carriers as carrier_files
from workers import shipping
from workers.db import migrate, sql
from workers.engine import database
from workers.engine.admission import Admission
from workers.engine.batch import Batch, BatchTransaction, Owed, Slice
from workers.engine.parking import ParkingLot
from workers.engine.unit import UnitOfWork
from workers.metrics import Metrics
from workers.settings import Settings
from workers.vault import keyring
from workers.vault.keyring import Keyring
from workers.vault.subjects import SubjectVault

CARRIERS = carrier_files.load(ROOT / "deploy/carriers")


class Told(NamedTuple):
    """A message in the few words that a test compares."""

    carrier: str
    event_type: str
    event_id: str


class Engine:
    """One worker's engine. Its log grows as events are appended; `apply` reads on from where it stands."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        ring: Keyring,
        settings: Settings,
        unit: Callable[[], UnitOfWork] | None = None,
        worker: str = "shipping",
        topic: str = "orders",
    ) -> None:
        self.pool = pool
        self.ring = ring
        self.settings = settings
        self.group = settings.group(worker)
        self.topic = settings.topic(topic)
        self.vault = SubjectVault(ring)
        self.metrics = Metrics(CollectorRegistry())
        self.admission = Admission(self.group, topic, ring, settings)
        self.lot = ParkingLot(self.group, settings.topic(f"{worker}.dead-letters"), ring)
        self.offsets: dict[int, int] = defaultdict(int)
        self.transaction = self.new_transaction(unit)

    def new_transaction(self, unit: Callable[[], UnitOfWork] | None = None) -> BatchTransaction:
        """A batch transaction as the worker makes it, with another unit of work where one is given."""
        made = unit or (lambda: shipping.ShippingUnit(CARRIERS, self.settings, self.ring))
        return BatchTransaction(
            self.pool, self.vault, self.lot, made, self.group, self.settings, self.metrics, lambda: NOW
        )

    def batch(self, *events: Published, partition: int = 0) -> Batch:
        """The events as the next records of one partition. Nothing moves before the batch is applied."""
        start = self.offsets[partition]
        admitted = [
            self.admission.admit(record(one, start + number, partition, self.topic), NOW)
            for number, one in enumerate(events)
        ]
        where = TopicPartition(self.topic, partition)
        return Batch((Slice(where, admitted, start, start + len(events)),))

    async def start(self, partition: int = 0, position: int = 0) -> None:
        """The partition's stored position, where there is none yet."""
        await self.pool.execute(sql.queries("positions")["start"], self.group, self.topic, partition, position)

    async def apply(self, *events: Published, partition: int = 0) -> list[Told]:
        """Apply the events as one batch; what it owes to carriers and to the dead-letter topic."""
        batch = self.batch(*events, partition=partition)
        await self.start(partition)
        owed = await self.transaction.apply(batch, lambda: True)
        self.offsets[partition] += len(events)
        return self.told(owed)

    def told(self, owed: Sequence[Owed]) -> list[Told]:
        """The messages in order."""
        return [
            Told(self._carrier(message.topic), message.event_type, message.event_id)
            for one in owed
            for message in one.messages
        ]

    def _carrier(self, topic: str) -> str:
        named = topic.removeprefix(self.settings.prefix)
        return named.removeprefix("carrier.").removesuffix(".addresses")

    async def position(self, partition: int = 0) -> int:
        """What the database says was applied."""
        stored: int = await self.pool.fetchval(sql.queries("positions")["read"], self.group, self.topic, partition)
        return stored

    async def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Rows as tuples."""
        return [tuple(row) for row in await self.pool.fetch(query, *arguments)]

    async def letters(self) -> list[tuple[str, str, int, bool]]:
        """The dead letters: code, state, how often seen, whether the body was kept."""
        return await self.rows(
            "select code, state, seen_count, sealed is not null from dead_letters order by record_offset"
        )

    async def counts(self) -> dict[str, int]:
        """How many rows each table of the pipeline has."""
        tables = ("events_seen", "subjects", "shipments", "disclosures", "outbox", "dead_letters")
        return {table: await self.pool.fetchval(f"select count(*) from {table}") for table in tables}


@asynccontextmanager
async def engine(
    dsn: str,
    folder: Path,
    unit: Callable[[], UnitOfWork] | None = None,
    **chosen: Any,
) -> AsyncIterator[Engine]:
    """An engine on an empty database, or on one that another engine with the same `folder` has prepared."""
    quick = {"retry_initial_s": 0.01, "retry_max_s": 0.05}
    settings = Settings.model_validate({**quick, "database_dsn": dsn, "keyring_dir": folder / "keyring", **chosen})
    connection = await asyncpg.connect(dsn)
    try:
        await migrate.apply(connection)
    finally:
        await connection.close()
    keyring.create(settings.keyring_dir)
    pool = await database.connect(settings, max_size=8)
    try:
        yield Engine(pool, keyring.load(settings.keyring_dir), settings, unit)
    finally:
        await pool.close()


def body(message_value: bytes | None) -> Any:
    """The JSON of a message."""
    return None if message_value is None else json.loads(message_value)
