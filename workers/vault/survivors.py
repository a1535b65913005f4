"""Survivors: a copy of all data keys under the current epoch, outside the database, one file per table.

Destroying an epoch makes every backup of the database from before unreadable, also where it is about people who are
still there. The copy brings those back, and only those: whoever was erased before the rotation is not in it, and who
is erased afterwards dies with the epoch that wraps it. PostgreSQL's binary COPY format: owner, wrapped key, epoch.
"""

import os
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

import asyncpg

from workers.db import sql
from workers.vault import key_files
from workers.vault.epochs import Connection
from workers.vault.wrapped_tables import TABLES

_QUERIES = sql.queries("key_epochs")
_COPY_TIMEOUT_S = 3600


async def write(pool: asyncpg.Pool, keyring_dir: Path, epoch: int) -> None:
    """Copy every data key that this epoch wraps, durably, whole or not at all; older copies are removed."""
    folder = keyring_dir / "survivors"
    draft, final = folder / f"{epoch}.new", folder / str(epoch)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    async with pool.acquire() as connection:
        for table in TABLES:
            with os.fdopen(os.open(draft / table.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                await connection.copy_from_query(
                    table.query(_QUERIES["survivors"]), epoch, output=file, format="binary", timeout=_COPY_TIMEOUT_S
                )
                file.flush()
                os.fsync(file.fileno())
    key_files.sync(draft)
    shutil.rmtree(final, ignore_errors=True)
    draft.rename(final)
    key_files.sync(folder)


def remove_older(keyring_dir: Path, epoch: int) -> None:
    """Remove the copies that older epochs wrap: their keys are gone."""
    folder = keyring_dir / "survivors"
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name != str(epoch):
            shutil.rmtree(path, ignore_errors=True)


async def bring_back(
    connection: Connection, keyring_dir: Path, alive: Collection[int], destroyed: Sequence[int]
) -> int:
    """Give rows that destroyed epochs wrap their data key from the newest copy that can be opened; returns how many.

    In the caller's transaction.
    """
    folder, count = keyring_dir / "survivors", 0
    copies = [epoch for epoch in alive if (folder / str(epoch)).is_dir()]
    for table in TABLES if copies else ():
        await connection.execute(_QUERIES["make_survivors"])
        await connection.copy_to_table(
            "survivors", source=folder / str(max(copies)) / table.name,
            columns=["owner", "wrapped_key", "key_epoch"], format="binary", timeout=_COPY_TIMEOUT_S,
        )  # fmt: skip
        await connection.execute(_QUERIES["index_survivors"], timeout=_COPY_TIMEOUT_S)
        status = await connection.execute(table.query(_QUERIES["bring_back"]), destroyed, timeout=_COPY_TIMEOUT_S)
        count += int(status.rpartition(" ")[2])
        await connection.execute(_QUERIES["drop_survivors"])
    return count
