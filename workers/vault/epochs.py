"""Key epochs as the database knows them: which one wraps new data keys, which are alive, which were destroyed."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg

from workers.db import sql
from workers.errors import DatabaseRestored, KeyMissing
from workers.vault import key_files
from workers.vault.keyring import Keyring

_QUERIES = sql.queries("key_epochs")

Connection = asyncpg.pool.PoolConnectionProxy | asyncpg.Connection


class Epoch(NamedTuple):
    """One epoch; `destroyed_at` None while its key is there."""

    number: int
    current_since: datetime
    destroyed_at: datetime | None


class Epochs(NamedTuple):
    """All that the database knows. What `alive` wrapped can still be read by somebody with an old copy of a row."""

    current: int
    alive: frozenset[int]
    destroyed: frozenset[int]


async def known(connection: Connection | asyncpg.Pool, keyring_dir: Path) -> Epochs:
    """The epochs now. One counts as destroyed when both the database and this keyring say so.

    A data key deleted while `current` was n is beyond recovery once every epoch up to n is in `destroyed`.
    """
    rows = await listed(connection)
    listed_here = key_files.destroyed(keyring_dir)
    destroyed = frozenset(row.number for row in rows if row.destroyed_at is not None and row.number in listed_here)
    return Epochs(rows[-1].number, frozenset(row.number for row in rows) - destroyed, destroyed)


async def listed(connection: Connection | asyncpg.Pool) -> list[Epoch]:
    """Every epoch, the oldest first; the last one is current. Raises KeyMissing in a database without any."""
    rows = [Epoch(*row) for row in await connection.fetch(_QUERIES["list"])]
    if not rows:
        raise KeyMissing("the database names no key epoch: the table key_epochs was emptied; run `lethe restore`")
    return rows


async def hold(connection: Connection, keyring: Keyring) -> int:
    """The epoch to wrap new data keys under until the caller's transaction ends.

    A rotation waits for that end, so that it misses no key. One round trip; more only right after a switch.
    Raises KeyNotHere when the new epoch's file has not arrived here.
    """
    assert connection.is_in_transaction(), "without one the epoch is let go before the key is stored"
    while not await connection.fetchval(_QUERIES["hold"], epoch := keyring.current_epoch):
        await follow(connection, keyring)
    return epoch


async def adopt(connection: Connection | asyncpg.Pool, keyring: Keyring, keyring_dir: Path) -> None:
    """Follow the database: its current epoch wraps, what it lists as destroyed is destroyed here too, memory included.

    Raises DatabaseRestored when the database's current epoch was destroyed here: it is older than its keyring.
    """
    rows = await listed(connection)
    gone = key_files.destroyed(keyring_dir)
    if rows[-1].number in gone:
        raise DatabaseRestored(
            f"the database wraps keys under epoch {rows[-1].number}, which was destroyed in this keyring: it was "
            "restored from an older backup. Run `lethe restore`; until then no worker may run"
        )
    for row in rows:
        if row.destroyed_at is not None and row.number not in gone:
            key_files.destroy(keyring_dir, row.number)
    await follow(connection, keyring)
    keyring.forget([row.number for row in rows if row.destroyed_at is not None])


async def follow(connection: Connection | asyncpg.Pool, keyring: Keyring) -> None:
    """Take over the database's current epoch. Raises KeyNotHere, KeyMissing."""
    current = await connection.fetchval(_QUERIES["current"])
    if current is None:
        raise KeyMissing("the database names no key epoch: the table key_epochs was emptied; run `lethe restore`")
    if current != keyring.current_epoch:
        keyring.wrap_under(current)
