"""The bar: the guarantees of Lethe's main path in one file, on aiokafka and asyncpg, with no framework.

A batch's position, dedupe keys, data keys, sealed shipments, disclosures and sealed outbox commit in one
database transaction; its records are then published from memory in one Kafka transaction with their source
offsets. Three stages overlap: reading and validating batch n+2, the database's work on n+1, publishing n.
It uses every trick on the client that Lethe uses.

What it leaves out: recovery (the outbox is written, never read), rebalances (it is given its partitions),
refusals, screening, rules of carriers and countries, later events of an order, metrics.
"""

import asyncio
import gc
import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import msgpack
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench import clock, task
from bench.contenders import common
from schemas.order import OrderPlaced

_SQL = common.queries("raw_loop")
_TIDY_INTERVAL_S = 1.0
_PARSED_BATCHES = 1
_COMMITTED_BATCHES = 2
_SHIPMENTS = (
    "shipment_id",
    "subject_id",
    "carrier",
    "state",
    "contact_consent",
    "recipient",
)
_DISCLOSURES = (
    "subject_id",
    "shipment_id",
    "recipient",
    "fields",
    "legal_basis",
)
_FIELDS = "name lines city postal_code country"
_dump = OrderPlaced.model_fields["ship_to"].annotation.__pydantic_serializer__.to_json  # type: ignore[union-attr]  # it is the model Recipient


class Keys(NamedTuple):
    """The key-encryption key and the keys of the look-up hashes."""

    wrap: AESGCM
    reference: bytes
    event: bytes


class Order(NamedTuple):
    """A validated event, ready for the database."""

    partition: int
    event_key: str
    reference_hash: str
    data: OrderPlaced


class Parsed(NamedTuple):
    """A batch that was read."""

    orders: list[Order]
    starts: dict[TopicPartition, int]
    offsets: dict[TopicPartition, int]


class Committed(NamedTuple):
    """A batch that the database holds."""

    outputs: list[common.Output]
    offsets: dict[TopicPartition, int]


def load_keys(directory: Path) -> Keys:
    """The same keyring as Lethe's."""

    def read(name: str) -> bytes:
        return bytes.fromhex((directory / name).read_text().strip())

    return Keys(AESGCM(read("epochs/1.key")), read("lookup/subject-reference.key"), read("lookup/event.key"))


class Loop:
    """Three stages joined by queues."""

    def __init__(self, todo: task.Task, pool: asyncpg.Pool) -> None:
        self._todo = todo
        self._pool = pool
        self._keys = load_keys(todo.keyring_dir)
        self._parsed: asyncio.Queue[Parsed] = asyncio.Queue()
        self._committed: asyncio.Queue[Committed] = asyncio.Queue(_COMMITTED_BATCHES)
        self._may_read = asyncio.Semaphore(_PARSED_BATCHES)

    async def read(self, consumer: AIOKafkaConsumer) -> None:
        """Stage 1: fetch and validate."""
        next_offsets: dict[TopicPartition, int] = {}
        keys, blake = self._keys, hashlib.blake2b
        while True:
            await self._may_read.acquire()  # before the fetch: what waits in the log joins the next batch
            fetched: dict[TopicPartition, list[Any]] = {}
            while not fetched:
                fetched = await consumer.getmany(timeout_ms=200, max_records=self._todo.batch_records)
            orders = []
            for partition, records in fetched.items():
                for record in records:
                    name = common.event_name(record.headers)
                    key = blake(name, key=keys.event, digest_size=16).hexdigest()
                    reference = blake(record.key, key=keys.reference, digest_size=16).hexdigest()
                    orders.append(Order(partition.partition, key, reference, common.read_order(record.value)))
            starts = {partition: next_offsets.get(partition, 0) for partition in fetched}
            offsets = common.offsets_after(fetched)
            next_offsets.update(offsets)
            await self._parsed.put(Parsed(orders, starts, offsets))

    async def apply(self) -> None:
        """Stage 2: one database transaction per batch."""
        while True:
            batch = await self._parsed.get()
            self._may_read.release()
            async with self._pool.acquire() as connection, connection.transaction():
                outputs = await self._store(connection, batch)
            await self._committed.put(Committed(outputs, batch.offsets))

    async def publish(self, producer: AIOKafkaProducer) -> None:
        """Stage 3: what was committed meanwhile in one Kafka transaction, with the source offsets."""
        tidied_s = time.monotonic()
        while True:
            outputs, offsets = await self._committed.get()
            while not self._committed.empty():
                more = self._committed.get_nowait()
                outputs += more.outputs
                offsets = offsets | more.offsets
            await producer.begin_transaction()
            # offsets first: aiokafka waits 20 ms where the records come first and the last markers are being written
            await producer.send_offsets_to_transaction(offsets, self._todo.group)
            await asyncio.gather(*await common.send_batches(producer, outputs))
            await producer.commit_transaction()
            if time.monotonic() - tidied_s > _TIDY_INTERVAL_S:
                tidied_s = time.monotonic()
                partitions = [partition.partition for partition in offsets]
                await self._pool.execute(_SQL["tidy"], partitions, list(offsets.values()))

    async def _store(self, connection: Any, batch: Parsed) -> list[common.Output]:
        partitions = [partition.partition for partition in batch.offsets]
        starts, ends = list(batch.starts.values()), list(batch.offsets.values())
        moved = await connection.fetch(_SQL["advance"], self._todo.source, partitions, starts, ends)
        if len(moved) != len(partitions):
            raise RuntimeError("another process has moved the position")
        named = {order.event_key for order in batch.orders}
        seen = {row[0] for row in await connection.fetch(_SQL["claim"], _array(named))}
        orders = _first_of_each(batch.orders, seen)
        subjects = await self._hold(connection, list({order.reference_hash for order in orders}))
        return await self._write(connection, batch, orders, subjects)

    async def _hold(self, connection: Any, hashes: list[str]) -> dict[str, tuple[int, AESGCM]]:
        """The subjects' numbers and data keys, locked against a fence; created where new."""
        wrap = self._keys.wrap
        subjects = {}
        for place, subject_id, key in await connection.fetch(_SQL["hold"], _array(hashes)):
            owner = hashes[place - 1]
            subjects[owner] = (subject_id, AESGCM(wrap.decrypt(key[:12], key[12:], owner.encode())))
        missing = sorted(owner for owner in hashes if owner not in subjects)
        if missing:
            fresh = [os.urandom(32) for _ in missing]
            wrapped = []
            for owner, key in zip(missing, fresh, strict=True):
                nonce = next(_nonces)
                wrapped.append(nonce + wrap.encrypt(nonce, key, owner.encode()))
            for place, subject_id in await connection.fetch(_SQL["add_subjects"], _array(missing), wrapped):
                subjects[missing[place - 1]] = (subject_id, AESGCM(fresh[place - 1]))
        return subjects

    async def _write(
        self, connection: Any, batch: Parsed, orders: list[Order], subjects: dict[str, tuple[int, AESGCM]]
    ) -> list[common.Output]:
        time_ = common.now_rfc3339()
        shipments, disclosures, outputs = [], [], []
        owed: dict[int, tuple[list[str], list[tuple[str, str, bytes]]]] = {}
        for partition, _, reference_hash, order in orders:
            subject_id, key = subjects[reference_hash]
            order_id, carrier = order.order_id, order.carrier
            record_key, topic = order_id.encode(), self._todo.outputs[carrier]
            nonce = next(_nonces)
            sealed = nonce + key.encrypt(nonce, _dump(order.ship_to, exclude_none=True), b"shipments" + record_key)
            shipments.append((order_id, subject_id, carrier, "assigned", order.contact_consent, sealed))
            disclosures.append((subject_id, order_id, carrier, _FIELDS, "eu-gdpr:A6-1-b"))
            value, nonce = common.address(order), next(_nonces)
            owners, records = owed.setdefault(partition, ([], []))
            owners.append(str(subject_id))
            records.append((topic, order_id, nonce + key.encrypt(nonce, value, b"outbox" + record_key)))
            outputs.append((topic, record_key, value, common.address_headers(order_id, time_)))
        await connection.copy_records_to_table("shipments", records=shipments, columns=_SHIPMENTS)
        await connection.copy_records_to_table("disclosures", records=disclosures, columns=_DISCLOSURES)
        for start, offset in batch.starts.items():
            if start.partition in owed:
                owners, records = owed[start.partition]
                packed = msgpack.packb(records)
                await connection.execute(_SQL["add_outbox"], start.partition, offset, _array(owners), packed)
        return outputs


def _first_of_each(orders: list[Order], seen: set[str]) -> list[Order]:
    """The orders that are new, each once."""
    chosen = []
    for order in orders:
        if order.event_key not in seen:
            seen.add(order.event_key)
            chosen.append(order)
    return chosen


def _array(items: Iterable[str]) -> str:
    """An array for PostgreSQL as a literal: cheaper than the client's encoder."""
    return "{" + ",".join(items) + "}"


def _make_nonces() -> Iterator[bytes]:
    while True:
        pool = os.urandom(12 * 1024)
        for start in range(0, len(pool), 12):
            yield pool[start : start + 12]


_nonces = _make_nonces()


async def run(todo: task.Task) -> None:
    """Create the tables, take all partitions, work until ended."""
    pool = await common.connect(todo.dsn)
    await pool.execute(_SQL["create"])
    partitions = [TopicPartition(todo.source, number) for number in range(todo.source_partitions)]
    for partition in partitions:
        await pool.execute(_SQL["start"], partition.topic, partition.partition)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=todo.bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=4 << 20,
        fetch_min_bytes=64 << 10,  # as in Lethe: small batches cost more than they save
        fetch_max_wait_ms=20,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=todo.bootstrap,
        transactional_id=todo.group,
        retry_backoff_ms=5,  # a transaction begins while the markers of the last one are still being written
        acks="all",
        linger_ms=0,
        max_batch_size=1 << 20,
    )
    await producer.start()
    await consumer.start()
    consumer.assign(partitions)
    for partition in partitions:
        consumer.seek(partition, 0)
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)
    loop = Loop(todo, pool)
    await asyncio.gather(loop.read(consumer), loop.apply(), loop.publish(producer))


if __name__ == "__main__":
    given = task.read()
    clock.start_on_first_records(given.started_file)
    uvloop.run(run(given))
