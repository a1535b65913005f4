"""Migrations: each applied once, in order; a database that does not fit this version is refused with what to do."""

import asyncio
import re
from collections.abc import AsyncIterator

import asyncpg
import pytest

from workers.db import migrate
from workers.db.migrate import Migration
from workers.errors import UsageError


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(database)
    yield opened
    await opened.close()


NAMES = [migration.name for migration in migrate.migrations()]


def test_migrations_are_numbered_without_a_gap() -> None:
    assert [int(re.match(r"\d{4}_", name)[0][:4]) for name in NAMES] == list(range(1, len(NAMES) + 1))  # type: ignore[index]  # a name without a number fails the test


async def test_all_are_applied_to_an_empty_database(connection: asyncpg.Connection) -> None:
    assert await migrate.apply(connection) == NAMES
    await migrate.check(connection)


async def test_applying_again_changes_nothing(connection: asyncpg.Connection) -> None:
    await migrate.apply(connection)
    before = await connection.fetch("select * from migrations order by name")
    assert await migrate.apply(connection) == []
    assert await connection.fetch("select * from migrations order by name") == before


async def test_two_at_once_apply_each_once(database: str) -> None:
    opened = [await asyncpg.connect(database) for _ in range(4)]
    applied = await asyncio.gather(*(migrate.apply(one) for one in opened))
    for one in opened:
        await one.close()
    assert sorted(name for names in applied for name in names) == NAMES


async def test_a_file_that_was_changed_afterwards_is_refused(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate.apply(connection)
    changed = [one._replace(checksum="0" * 64) for one in migrate.migrations()]
    monkeypatch.setattr(migrate, "migrations", lambda: changed)
    with pytest.raises(UsageError, match=f"migration {NAMES[0]} was changed after it was applied"):
        await migrate.apply(connection)


async def test_a_migration_that_fails_leaves_nothing(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Migration("9999_broken", "create table half (a int); select 1 / 0;", "x")
    monkeypatch.setattr(migrate, "migrations", lambda: [broken])
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate.apply(connection)
    assert await connection.fetchval("select to_regclass('half')") is None
    assert await connection.fetchval("select count(*) from migrations") == 0


async def test_an_empty_database_is_behind(connection: asyncpg.Connection) -> None:
    with pytest.raises(UsageError, match=f"lacks {NAMES[0]}.*lethe migrate"):
        await migrate.check(connection)


async def test_a_database_that_lacks_one_is_behind(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate.apply(connection)
    newer = [*migrate.migrations(), Migration("9999_newer", "select 1", "x")]
    monkeypatch.setattr(migrate, "migrations", lambda: newer)
    with pytest.raises(UsageError, match="lacks 9999_newer"):
        await migrate.check(connection)


async def test_a_database_of_a_newer_version_is_ahead(connection: asyncpg.Connection) -> None:
    await migrate.apply(connection)
    await connection.execute("insert into migrations (name, checksum) values ('9999_newer', 'x')")
    with pytest.raises(UsageError, match=r"knows 9999_newer.*upgrade Lethe"):
        await migrate.check(connection)
