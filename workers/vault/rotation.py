"""Rotation: a new key epoch, every surviving data key wrapped anew, the old epoch destroyed. Workers go on meanwhile.

    key made      the new epoch's file is written, durably
    switched      the database names it as current: from now on nothing is wrapped under the old one by a transaction
                  that begins, and those that had begun are waited for (`hold_wrapping_epoch`)
    rewrapped     every row, page by page in short transactions, until none refers to an older epoch
    copied        the data keys, as they are wrapped now, are copied out of the database, so that older backups of it
                  can be read but for those who are gone (`survivors`)
    destroyed     older epochs are listed as destroyed in the keyring, overwritten, removed; the database says so

Killed anywhere, the next rotation goes on from there. What makes it safe is in the rows and files, not in the lock
that keeps two rotations from doing the same work: whoever wraps, a rotation included, holds the epoch it wraps under.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import asyncpg

from workers.clock import Clock
from workers.db import sql
from workers.engine import crashpoints
from workers.errors import KeyMissing, Retry
from workers.vault import epochs, key_files, keyring, sealing, survivors
from workers.vault.epochs import Connection
from workers.vault.keyring import Keyring
from workers.vault.wrapped_tables import TABLES, WrappedTable

_QUERIES = sql.queries("key_epochs")
_LOCKS = sql.queries("locks")
_LOCK = "lethe.rotation"
_PAGES_PER_BATCH = 32
_POLL_S = 0.05


class Rotation(NamedTuple):
    """`retired_epoch` and all before it are destroyed; `rewrapped` counts data keys."""

    retired_epoch: int
    current_epoch: int
    rewrapped: int


async def rotate(pool: asyncpg.Pool, keyring_dir: Path, clock: Clock) -> Rotation:
    """Destroy the epoch that is current now, and every older one; returns when that is done.

    Needs two connections of the pool. A rotation that was killed is finished first. One that another caller has begun
    is waited for; it serves both where it switches after this call, else a second one follows. Raises KeyMissing when
    a data key does not open under the epoch that it names (nothing is destroyed then), UsageError for an unreadable
    keyring, Retry when another rotation has taken over.
    """
    asked = (await epochs.listed(pool))[-1].number
    async with _one_at_a_time(pool):
        ring = keyring.load(keyring_dir)
        await epochs.follow(pool, ring)
        rewrapped = await _finish(pool, ring, keyring_dir, clock)
        if ring.current_epoch == asked:
            await _switch(pool, ring, keyring_dir, clock)
            rewrapped += await _finish(pool, ring, keyring_dir, clock)
        return Rotation(ring.current_epoch - 1, ring.current_epoch, rewrapped)


@asynccontextmanager
async def _one_at_a_time(pool: asyncpg.Pool) -> AsyncIterator[None]:
    async with pool.acquire() as lock:
        await _until(lambda: lock.fetchval(_LOCKS["try_lock"], _LOCK))
        try:
            yield
        finally:
            await lock.fetchval(_LOCKS["unlock"], _LOCK)


async def _until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again: waiting inside the server would meet its time-out."""
    while True:
        if await is_so():
            return
        await asyncio.sleep(_POLL_S)


async def _switch(pool: asyncpg.Pool, ring: Keyring, keyring_dir: Path, clock: Clock) -> None:
    """Make the next epoch and name it as current. A key that a killed rotation made and never used is used now."""
    number = ring.current_epoch + 1
    while number in key_files.destroyed(keyring_dir):
        number += 1
    key_files.create_epoch(keyring_dir, number)
    crashpoints.reach("rotation.key_made")
    await pool.execute(_QUERIES["switch"], number, clock())
    await epochs.follow(pool, ring)
    crashpoints.reach("rotation.switched")


async def _finish(pool: asyncpg.Pool, ring: Keyring, keyring_dir: Path, clock: Clock) -> int:
    """Rewrap what older epochs wrapped and destroy them; returns how many data keys that were."""
    current = ring.current_epoch
    old = [epoch.number for epoch in await epochs.listed(pool) if epoch.destroyed_at is None and epoch.number < current]
    if not old:
        return 0
    for number in old:
        await _until(partial(pool.fetchval, _QUERIES["is_released"], number))
    rewrapped = sum([await _rewrap_table(pool, ring, table) for table in TABLES])
    await survivors.write(pool, keyring_dir, current)
    crashpoints.reach("rotation.copied")
    for number in old:
        key_files.destroy(keyring_dir, number)
        await pool.execute(_QUERIES["record_destroyed"], [number], clock())
    survivors.remove_older(keyring_dir, current)
    return rewrapped


async def _rewrap_table(pool: asyncpg.Pool, ring: Keyring, table: WrappedTable) -> int:
    """Round after round over all pages, until no row refers to an older epoch: rows in use come in a later round."""
    rewrapped = 0
    while await pool.fetchval(table.query(_QUERIES["is_referred_to"]), ring.current_epoch):
        before = rewrapped
        pages = await pool.fetchval(table.query(_QUERIES["pages"]))
        for first_page in range(0, pages, _PAGES_PER_BATCH):
            rewrapped += await _rewrap_pages(pool, ring, table, first_page)
        if rewrapped == before:
            await asyncio.sleep(_POLL_S)
    return rewrapped


async def _rewrap_pages(pool: asyncpg.Pool, ring: Keyring, table: WrappedTable, first_page: int) -> int:
    """One short transaction."""
    current = ring.current_epoch
    async with pool.acquire() as connection, connection.transaction():
        if not await connection.fetchval(_QUERIES["hold"], current):
            raise Retry("another rotation has switched the key epoch meanwhile: it wraps every data key anew")
        rows = await connection.fetch(
            table.query(_QUERIES["take"]), (first_page, 0), (first_page + _PAGES_PER_BATCH, 0), current
        )
        if rows:
            await _rewrap_rows(connection, ring, table, rows)
            crashpoints.reach("rotation.before_commit")
    if rows:
        crashpoints.reach("rotation.rewrapped")
    return len(rows)


async def _rewrap_rows(connection: Connection, ring: Keyring, table: WrappedTable, rows: list[asyncpg.Record]) -> None:
    current = ring.current_epoch
    new = ring.kek(current)
    try:
        fresh = [
            sealing.rewrap_key(ring.kek(epoch), new, wrapped, table.owner(owner, epoch), table.owner(owner, current))
            for _, owner, wrapped, epoch in rows
        ]
    except sealing.Unreadable:
        raise KeyMissing(
            f"a data key in {table.name} does not open under the key epoch that it names: the keyring is not the one "
            "that wrapped it, or the row was altered. Nothing was destroyed; put the right keyring into keyring_dir"
        ) from None
    await connection.execute(table.query(_QUERIES["rewrap"]), [row["ctid"] for row in rows], fresh, current)
