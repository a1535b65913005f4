"""The ledger, read from its beginning and applied: who was erased stays erased, who said no is not written to."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas import envelope, registry
from schemas.ledger import AddressSuppressed, SubjectErased
from workers import ledger
from workers.consent.desk import ConsentDesk
from workers.db import sql
from workers.errors import UsageError
from workers.ledger import Entry
from workers.restore import people
from workers.settings import Settings

_QUERIES = sql.queries("restore")
_BATCH_ENTRIES = 500
_POLL_MS = 500


async def replay(pool: asyncpg.Pool, desk: ConsentDesk, settings: Settings, now: datetime) -> tuple[int, int]:
    """Apply every entry in order; returns how many erasures were not known here, and how many persons were deleted.

    Repeating it changes nothing.
    """
    erasures = persons = 0
    async with aclosing(_read(settings)) as batches:
        async for entries in batches:
            new, deleted = await _apply(pool, desk, entries, now)
            erasures, persons = erasures + new, persons + deleted
    return erasures, persons


async def _apply(pool: asyncpg.Pool, desk: ConsentDesk, entries: Sequence[Entry], now: datetime) -> tuple[int, int]:
    async with pool.acquire() as connection, connection.transaction():
        erased = {e.reference_hash: e.erased_at for e in entries if isinstance(e, SubjectErased)}
        new = await connection.fetch(_QUERIES["unknown_erasures"], list(erased), list(erased.values()))
        hashes = [row["reference_hash"] for row in new]
        found = [row[0] for row in await connection.fetch(_QUERIES["subjects_of"], hashes)]
        await people.erase(connection, desk, found, now)
        await connection.execute(_QUERIES["record_erased"], hashes, [row["erased_at"] for row in new])
        await _suppress(connection, [e for e in entries if isinstance(e, AddressSuppressed)])
    return len(new), len(found)


async def _suppress(connection: asyncpg.pool.PoolConnectionProxy, entries: Sequence[AddressSuppressed]) -> None:
    last: dict[tuple[UUID, str], AddressSuppressed] = {(e.suppression_hash, e.purpose): e for e in entries}
    said = [e for e in last.values() if not e.lifted]
    lifted = [e for e in last.values() if e.lifted]
    await connection.execute(
        _QUERIES["suppress"], [e.suppression_hash for e in said], [e.purpose for e in said], [e.reason for e in said],
        [e.since for e in said],
    )  # fmt: skip
    await connection.execute(
        _QUERIES["lift"], [e.suppression_hash for e in lifted], [e.purpose for e in lifted], [e.since for e in lifted]
    )


async def _read(settings: Settings) -> AsyncGenerator[list[Entry], None]:
    """All that is in the topic now, in order, a few at a time."""
    partitions = await _partitions(settings)
    consumer = AIOKafkaConsumer(
        **settings.kafka_client,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    consumer.assign(partitions)
    await consumer.start()
    try:
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, 0)
            while await consumer.position(partition) < ends[partition]:
                fetched = await consumer.getmany(partition, timeout_ms=_POLL_MS, max_records=_BATCH_ENTRIES)
                if records := fetched.get(partition):
                    yield [_entry(record.headers, record.value) for record in records]
    finally:
        await consumer.stop()


async def _partitions(settings: Settings) -> list[TopicPartition]:
    """Raises UsageError where there is no ledger: replaying nothing would look as if nobody had been erased."""
    topic = settings.topic(ledger.TOPIC)
    admin = AIOKafkaAdminClient(**settings.kafka_client)
    try:
        await admin.start()
        (described,) = await admin.describe_topics([topic])
    finally:
        await admin.close()
    if described["error_code"] or not described["partitions"]:
        raise UsageError(f"the topic {topic} cannot be read: erasures since the backup are not known without it")
    return [TopicPartition(topic, number) for number in sorted(one["partition"] for one in described["partitions"])]


def _entry(headers: Sequence[tuple[str, bytes]], value: bytes) -> Entry:
    entry = registry.decode(envelope.parse(list(headers), value))
    assert isinstance(entry, SubjectErased | AddressSuppressed)
    return entry
