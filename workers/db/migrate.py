"""Migrations: `migrations/NNNN_name.sql`, each applied once, in order, in a transaction of its own."""

import hashlib
from importlib import resources
from typing import NamedTuple

import asyncpg

from workers.db import sql
from workers.errors import KeyMissing, UsageError
from workers.vault.keyring import LOOKUP_PURPOSES, Keyring

_QUERIES = sql.queries("migrations")
_LOCKS = sql.queries("locks")
_EPOCHS = sql.queries("key_epochs")
_KEYRING = sql.queries("keyring")


class Migration(NamedTuple):
    """One file. `checksum` tells when an applied file was changed afterwards."""

    name: str
    text: str
    checksum: str


def migrations() -> list[Migration]:
    """Every migration of this version, in order."""
    folder = resources.files("workers.db") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    texts = [(file.name.removesuffix(".sql"), file.read_text("utf-8")) for file in files]
    return [Migration(name, text, hashlib.sha256(text.encode()).hexdigest()) for name, text in texts]


async def apply(connection: asyncpg.Connection) -> list[str]:
    """Apply what is missing; returns the names applied. Two at once wait for each other. Raises UsageError."""
    async with connection.transaction():  # `if not exists` alone fails when two create it at once
        await connection.execute(_LOCKS["lock_migrations"])
        await connection.execute(_QUERIES["create"])
    applied = []
    for migration in migrations():
        async with connection.transaction():
            await connection.execute(_LOCKS["lock_migrations"])
            known = await connection.fetchval(_QUERIES["checksum"], migration.name)
            if known is None:
                await connection.execute(migration.text)
                await connection.execute(_QUERIES["record"], migration.name, migration.checksum)
                applied.append(migration.name)
            elif known != migration.checksum:
                raise UsageError(
                    f"migration {migration.name} was changed after it was applied; restore the file and add a new one"
                )
    return applied


async def check(connection: asyncpg.Connection | asyncpg.Pool) -> None:
    """Raise UsageError when the database is behind this version of the code, or ahead of it."""
    try:
        present = {row["name"] for row in await connection.fetch(_QUERIES["applied"])}
    except asyncpg.UndefinedTableError:
        present = set()
    wanted = {migration.name for migration in migrations()}
    if wanted - present:
        raise UsageError(f"the database lacks {', '.join(sorted(wanted - present))}: run `lethe migrate` first")
    if present - wanted:
        raise UsageError(
            f"the database knows {', '.join(sorted(present - wanted))}, this version of Lethe does not: upgrade Lethe"
        )


async def record_keyring(connection: asyncpg.Connection | asyncpg.Pool, keyring: Keyring) -> None:
    """Remember which look-up keys belong to this database, once, and which key epoch it begins with."""
    await connection.execute(_EPOCHS["first"], keyring.current_epoch)
    for purpose in LOOKUP_PURPOSES:
        await connection.execute(_KEYRING["record"], purpose, keyring.check_value(purpose))
    await check_keyring(connection, keyring)


async def check_keyring(connection: asyncpg.Connection | asyncpg.Pool, keyring: Keyring) -> None:
    """Raise KeyMissing when the keyring is not the one that this database was filled with."""
    for row in await connection.fetch(_KEYRING["read"]):
        if row["check_value"] != keyring.check_value(row["purpose"]):
            raise KeyMissing(
                f"the look-up key {row['purpose']!r} is not the one that this database was filled with: people would "
                "not be found again. Put the right keyring into keyring_dir"
            )
