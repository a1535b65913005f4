"""Connections to PostgreSQL: what ends a worker that hangs with locks in its hands."""

import asyncio

import asyncpg
import pytest

from tests.support.endpoints import Endpoints
from workers.engine import database
from workers.settings import Settings


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str) -> Settings:
    """A session time-out of a second."""
    made = {"prefix": prefix, "kafka_bootstrap": stack.bootstrap, "database_dsn": database, "session_timeout_s": 1}
    return Settings.model_validate(made)


async def hold(pool: asyncpg.Pool, idle_s: float) -> None:
    """For as long as it is let: a short statement after the other."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("lock table held")
        while True:
            await asyncio.sleep(idle_s)
            await connection.fetchval("select pg_sleep(0.1)")


async def test_a_transaction_of_a_worker_ends_though_its_session_is_never_idle(settings: Settings) -> None:
    pool = await database.connect(settings, is_worker=True)
    try:
        async with pool.acquire() as connection:
            await connection.execute("create table held (number integer)")
        with pytest.raises(database.RETRIED_ERRORS) as cut_off:
            await hold(pool, idle_s=0)
        assert not isinstance(cut_off.value, TimeoutError)
        async with pool.acquire() as connection:  # nobody holds the lock, and the pool is of use
            await connection.execute("insert into held values (1)")
    finally:
        await pool.close()


async def test_a_transaction_of_a_command_may_take_its_time(settings: Settings) -> None:
    """An import, a restore."""
    pool = await database.connect(settings)
    try:
        async with pool.acquire() as connection, connection.transaction():
            assert await connection.fetchval("show transaction_timeout") == "0"
            assert await connection.fetchval("show idle_in_transaction_session_timeout") == "1s"
    finally:
        await pool.close()


async def test_an_idle_transaction_ends(settings: Settings) -> None:
    pool = await database.connect(settings)
    try:
        async with pool.acquire() as connection:
            await connection.execute("create table held (number integer)")
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await hold(pool, idle_s=2.5)
    finally:
        await pool.close()
