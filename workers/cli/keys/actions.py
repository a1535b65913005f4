"""What the commands of `lethe keys` do."""

import asyncio
from collections import Counter

from workers import clock
from workers import settings as settings_module
from workers.cli import connections
from workers.db import migrate, sql
from workers.engine import database
from workers.errors import UsageError
from workers.settings import Settings
from workers.vault import epochs, key_files, keyring, rotation
from workers.vault.wrapped_tables import TABLES

_QUERIES = sql.queries("key_epochs")


def rotate() -> str:
    """What was done, in words. Raises LetheError."""
    done = asyncio.run(_rotate(settings_module.load()))
    return (
        f"key epoch {done.current_epoch} is in use; {done.rewrapped:,} data keys were wrapped anew; epoch "
        f"{done.retired_epoch} is destroyed"
    )


def status() -> list[str]:
    """A line per epoch, the newest first. Raises LetheError."""
    return asyncio.run(_status(settings_module.load()))


async def _rotate(settings: Settings) -> rotation.Rotation:
    async with connections.database(settings) as connection:  # one that fails says what to do
        await migrate.check(connection)
        await migrate.check_keyring(connection, keyring.load(settings.keyring_dir))
    pool = await database.connect(settings)
    try:
        return await rotation.rotate(pool, settings.keyring_dir, clock.system_clock)
    finally:
        await pool.close()


async def _status(settings: Settings) -> list[str]:
    async with connections.database(settings) as connection:
        await migrate.check(connection)
        rows = await epochs.listed(connection)
        wrapped = Counter[int]()
        for table in TABLES:
            for number, count in await connection.fetch(table.query(_QUERIES["count"])):
                wrapped[number] += count
    try:
        here, gone = keyring.load(settings.keyring_dir).epochs, key_files.destroyed(settings.keyring_dir)
    except UsageError:
        here, gone = frozenset(), frozenset()
    lines = []
    for row in reversed(rows):
        is_current = row.number == rows[-1].number
        if row.number in gone:
            state = "destroyed" if row.destroyed_at is None else f"destroyed {row.destroyed_at:%Y-%m-%d %H:%M} UTC"
        else:
            state = "in use" if is_current else "being retired: run `lethe keys rotate`"
            state += "" if row.number in here else ", but its key is not in keyring_dir"
        lines.append(
            f"epoch {row.number:<4} since {row.current_since:%Y-%m-%d %H:%M} UTC  "
            f"{wrapped[row.number]:>10,} data keys  {state}"
        )
    return lines
