"""`lethe migrate`: the database, its tables and the keyring, ready for this version."""

import asyncio
from collections.abc import Callable

from workers.settings import Settings


def migrate() -> None:
    """Create what is missing: the database, the keyring, the tables. Safe to repeat; says what it did.

    The keyring is made once, outside the database. Back it up apart from the database: without it nothing sealed can
    be read again, and together with it a stolen backup could be.

    Example: lethe migrate
    """
    import typer

    from workers import settings as settings_module

    asyncio.run(prepare(settings_module.load(), typer.echo))


async def prepare(settings: Settings, say: Callable[[str], object]) -> None:
    """Do it, with a line to `say` for each thing done. Raises LetheError."""
    import asyncpg

    from workers.cli import connections
    from workers.db import migrate as migrations
    from workers.proof import signing
    from workers.stores import directory
    from workers.vault import keyring

    try:
        async with connections.database(settings):
            pass
    except asyncpg.InvalidCatalogNameError:
        await _create_database(settings)
        say(f"database   {connections.place(settings)} created")
    async with connections.database(settings) as connection:
        applied = await migrations.apply(connection)
        await _refuse_strange_keyring(settings, connection)
        is_new = not settings.keyring_dir.exists()
        keyring.create(settings.keyring_dir)
        signing.create(settings.keyring_dir)
        await migrations.record_keyring(connection, keyring.load(settings.keyring_dir))
    if made := directory.create_keys(settings.stores_dir, settings.keyring_dir):
        say(f"store keys {', '.join(made)} created, in the keyring")
    say(f"migrations {', '.join(applied)} applied" if applied else "migrations all applied before")
    where = settings.keyring_dir.absolute()
    if is_new:
        say(f"keyring    {where} created: back it up now, apart from the database")
    else:
        say(f"keyring    {where} is the one that belongs to this database")


async def _create_database(settings: Settings) -> None:
    from workers.cli import connections
    from workers.db import sql

    queries = sql.queries("databases")
    async with connections.database(settings, "postgres") as connection:
        command = await connection.fetchval(queries["creation"], connections.database_name(settings))
        await connection.execute(command)


async def _refuse_strange_keyring(settings: Settings, connection: object) -> None:
    """A database that was filled with a keyring must not get a new one, which could open nothing of it."""
    import asyncpg

    from workers.db import sql
    from workers.errors import KeyMissing

    assert isinstance(connection, asyncpg.Connection)
    known = await connection.fetch(sql.queries("keyring")["read"])
    if known and not settings.keyring_dir.exists():
        raise KeyMissing(
            f"this database was filled with a keyring, and {settings.keyring_dir} does not exist: put that keyring "
            "there, or point LETHE_KEYRING_DIR at it. Nothing was changed"
        )
