"""What becomes of the locks of a worker that is paused in the middle of a statement, for good."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import asyncpg
import pytest

from tests.support.endpoints import Endpoints
from workers.engine import database as database_module
from workers.engine.exit import Exit
from workers.engine.session_watch import SessionWatch
from workers.settings import Settings

# Another process, since a paused one cannot test anything: it stops itself inside a COPY, a lock in its hands.
PAUSED_INSIDE_A_COPY = """
import asyncio, os, signal, sys
import asyncpg

async def rows():
    yield b"1\\n"
    os.kill(os.getpid(), signal.SIGSTOP)
    yield b"2\\n"

async def main():
    timeouts = {"idle_in_transaction_session_timeout": "1000", "transaction_timeout": "2000"}
    connection = await asyncpg.connect(sys.argv[1], server_settings={"application_name": sys.argv[2], **timeouts})
    async with connection.transaction():
        await connection.execute("lock table held")
        await connection.copy_to_table("held", source=rows())

asyncio.run(main())
"""
HANGS = "select count(*) from pg_stat_activity where wait_event = 'ClientRead' and state = 'active'"


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str) -> Settings:
    """A session time-out of a second."""
    made = {"prefix": prefix, "kafka_bootstrap": stack.bootstrap, "database_dsn": database, "session_timeout_s": 1}
    return Settings.model_validate(made)


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    opened = await database_module.connect(settings, is_worker=True)
    await opened.execute("create table held (number integer)")
    yield opened
    await opened.close()


@contextmanager
def paused(settings: Settings, application_name: str) -> Iterator[None]:
    command = [sys.executable, "-c", PAUSED_INSIDE_A_COPY, settings.database_dsn.get_secret_value(), application_name]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


async def until_it_hangs(pool: asyncpg.Pool) -> None:
    for _ in range(600):
        if await pool.fetchval(f"{HANGS} and datname = current_database()"):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the other process never got to its COPY")


async def take_over(pool: asyncpg.Pool) -> None:
    """Wait for the lock, no longer than 6 s."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("set local lock_timeout = '6s'")
        await connection.execute("lock table held")


async def test_a_worker_that_hangs_in_a_copy_is_cut_off_and_its_successor_goes_on(
    settings: Settings, pool: asyncpg.Pool
) -> None:
    with paused(settings, "lethe worker"):
        await until_it_hangs(pool)
        watch = SessionWatch(pool, settings, Exit())
        assert await watch.look() == 0, "not before its time"
        await watch.start()
        try:
            await take_over(pool)
        finally:
            await watch.stop()
    assert await pool.fetchval("select count(*) from held") == 0


async def test_without_the_watch_nobody_could_go_on(settings: Settings, pool: asyncpg.Pool) -> None:
    """None of the server's time-outs ends it: that is why there is a watch."""
    with paused(settings, "lethe worker"):
        await until_it_hangs(pool)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await take_over(pool)


async def test_a_command_may_take_its_time(settings: Settings, pool: asyncpg.Pool) -> None:
    with paused(settings, "lethe"):
        await until_it_hangs(pool)
        await asyncio.sleep(2)
        assert await SessionWatch(pool, settings, Exit()).look() == 0
        assert await pool.fetchval(f"{HANGS} and datname = current_database()") == 1
