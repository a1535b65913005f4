"""What real PostgreSQL writes is found: rows, dead rows, indexes, TOAST, statistics, WAL; compressed values too.

The embedded PostgreSQL is built without LZ4; such values are made by hand in the unit tests.
"""

import asyncio
import secrets
import shutil
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from deploy.local.stack import Stack
from workers.scan.scanner import Finding, scan

PADDING = "the same again and again " * 120


@pytest.fixture
async def connection(own_stack: Stack) -> AsyncIterator[asyncpg.Connection]:
    name = f"t{uuid.uuid4().hex[:10]}"
    await asyncio.to_thread(own_stack.postgres.create_database, name)
    opened = await asyncpg.connect(own_stack.dsn(name))
    yield opened
    await opened.close()
    await asyncio.to_thread(own_stack.postgres.drop_database, name)


@pytest.fixture
def token() -> str:
    return f"Quixomatl-{uuid.uuid4().hex}"


async def look(
    connection: asyncpg.Connection, stack: Stack, token: str, below: str = "base", checkpoint: bool = True
) -> list[Finding]:
    if checkpoint:
        await connection.execute("checkpoint")
    folder = stack.postgres.cluster_dir / below
    report = await asyncio.to_thread(scan, [token], [folder])
    assert report.unread == ()
    return list(report.findings)


def whats(findings: list[Finding]) -> set[str]:
    return {one.what for one in findings}


async def test_a_row_its_index_and_its_statistics_are_found(
    connection: asyncpg.Connection, own_stack: Stack, token: str
) -> None:
    await connection.execute("create table people (name text)")
    await connection.executemany("insert into people values ($1)", [(token,)] * 50)
    await connection.execute("create index on people (name)")
    await connection.execute("analyze people")
    findings = await look(connection, own_stack, token)
    assert whats(findings) == {"PostgreSQL table or index", "PostgreSQL statistics"}
    assert len({one.path for one in findings if "statistics" not in one.what}) == 2, "the table and the index"


async def test_a_deleted_row_is_found_after_a_vacuum_too(
    connection: asyncpg.Connection, own_stack: Stack, token: str
) -> None:
    await connection.execute("create table people (name text)")
    await connection.execute("insert into people select $1 || n from generate_series(1, 500) as n", token)
    await connection.execute("insert into people values ('the last keeps the pages')")
    await connection.execute("delete from people where name like 'Quixomatl%'")
    await connection.execute("vacuum people")
    assert await look(connection, own_stack, token), "vacuum does not overwrite what it frees"


async def test_a_value_that_is_compressed_in_its_row_is_found(
    connection: asyncpg.Connection, own_stack: Stack, token: str
) -> None:
    await connection.execute("create table people (id int, name text compression pglz, note text)")
    value = PADDING + " ".join(token) + PADDING + token + PADDING  # so that parts of the token are references back
    await connection.execute("insert into people values (1, $1, 'x')", value)
    assert await connection.fetchval("select pg_column_compression(name) from people") == "pglz"
    assert "PostgreSQL table or index, compressed value (pglz)" in whats(
        await look(connection, own_stack, " ".join(token))
    )
    assert await look(connection, own_stack, token)


async def test_a_value_over_two_chunks_of_toast_is_found(
    connection: asyncpg.Connection, own_stack: Stack, token: str
) -> None:
    await connection.execute("create table people (name text)")
    await connection.execute("alter table people alter name set storage external")
    await connection.execute("insert into people values ($1)", "x" * (1996 - 10) + token + "y" * 5000)
    findings = await look(connection, own_stack, token)
    assert whats(findings) == {"PostgreSQL table or index, TOAST value, over two chunks"}


async def test_a_compressed_value_in_toast_is_found(
    connection: asyncpg.Connection, own_stack: Stack, token: str
) -> None:
    await connection.execute("create table people (name text compression pglz)")
    noise = "".join(secrets.token_hex(16) + "-" * 40 for _ in range(800))
    value = noise + " ".join(token) + noise[:9000] + token
    await connection.execute("insert into people values ($1)", value)
    assert await connection.fetchval("select pg_column_size(name) from people") > 8000, "out of line"
    assert await connection.fetchval("select pg_column_compression(name) from people") == "pglz"
    found = await look(connection, own_stack, " ".join(token))
    assert "PostgreSQL table or index, compressed TOAST value (pglz)" in whats(found)


async def test_the_wal_is_looked_through_before_anything_else_is_written(
    connection: asyncpg.Connection, own_stack: Stack, token: str
) -> None:
    await connection.execute("create table people (name text compression pglz)")
    await connection.execute("insert into people values ($1)", token)
    await connection.execute("insert into people values ($1)", PADDING + " ".join(token) + PADDING)
    wal = await look(connection, own_stack, token, "pg_wal", checkpoint=False)
    assert "PostgreSQL WAL" in whats(wal)
    packed = await look(connection, own_stack, " ".join(token), "pg_wal", checkpoint=False)
    assert "PostgreSQL WAL, compressed value (pglz)" in whats(packed)


async def test_a_record_that_a_page_of_the_wal_cuts_in_two_is_found(
    connection: asyncpg.Connection, own_stack: Stack, token: str
) -> None:
    """Rows of nothing but the token: among thousands, some lie over a page's end."""
    await connection.execute("create table people (name text)")
    await connection.executemany("insert into people values ($1)", [(token * 20,)] * 300)
    found = await look(connection, own_stack, token, "pg_wal", checkpoint=False)
    assert "PostgreSQL WAL, over two WAL pages" in whats(found)
    assert next(one.count for one in found if one.what == "PostgreSQL WAL, over two WAL pages") > 1


async def test_binary_and_wide_columns_are_found_in_the_form_they_have(
    connection: asyncpg.Connection, own_stack: Stack, token: str
) -> None:
    await connection.execute("create table people (raw bytea, document jsonb)")
    await connection.execute("insert into people values ($1, null)", token.encode("utf-16-le"))
    await connection.execute("insert into people values (null, jsonb_build_object('name', $1::text))", token)
    assert {one.form for one in await look(connection, own_stack, token)} == {"UTF-16LE", "UTF-8"}


async def test_a_server_at_work_can_be_scanned_and_nobody_else_is_found(
    connection: asyncpg.Connection, own_stack: Stack, token: str, tmp_path: Path
) -> None:
    await connection.execute("create table people (name text)")

    async def write() -> None:
        for number in range(300):
            await connection.execute("insert into people values ($1)", f"{PADDING}{number}")

    writing = asyncio.create_task(write())
    report = await asyncio.to_thread(scan, [token], [own_stack.postgres.data_dir])
    await writing
    assert report.is_clean, (report.findings[:3], report.unread[:3])
    assert report.size_bytes > 16 << 20


async def test_a_copy_of_the_files_is_read_like_the_files(
    connection: asyncpg.Connection, own_stack: Stack, token: str, tmp_path: Path
) -> None:
    await connection.execute("create table people (name text compression pglz)")
    await connection.execute("insert into people values ($1)", PADDING + " ".join(token) + PADDING)
    await connection.execute("checkpoint")
    path = await connection.fetchval("select pg_relation_filepath('people')")
    (tmp_path / Path(path).parent).mkdir(parents=True)
    shutil.copyfile(own_stack.postgres.cluster_dir / path, tmp_path / path)
    [finding] = scan([" ".join(token)], [tmp_path]).findings
    assert finding.what == "PostgreSQL table or index, compressed value (pglz)"
