"""The ledger, read from its beginning and applied: who was erased stays erased, who said no is not written to."""

from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime
from uuid import UUID

import asyncpg

from schemas import envelope, registry
from schemas.ledger import AddressSuppressed, SubjectErased
from workers import ledger
from workers.consent.desk import ConsentDesk
from workers.db import sql
from workers.engine.records import Record
from workers.ledger import Entry
from workers.restore import log_reading, people
from workers.settings import Settings

_QUERIES = sql.queries("restore")


async def replay(pool: asyncpg.Pool, desk: ConsentDesk, settings: Settings, now: datetime) -> tuple[int, int]:
    """Apply every entry in order; returns how many erasures were not known here, and how many persons were deleted.

    Repeating it changes nothing.
    """
    erasures = persons = 0
    async with aclosing(log_reading.read(settings, ledger.TOPIC)) as batches:
        async for records in batches:
            entries = [_entry(record) for record in records]
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


def _entry(record: Record) -> Entry:
    entry = registry.decode(envelope.parse(list(record.headers), record.value))
    assert isinstance(entry, SubjectErased | AddressSuppressed)
    return entry
