"""The connection pool, and which database errors mean what for a batch."""

import asyncio

import asyncpg

from workers.errors import Retry
from workers.settings import Settings

Connection = asyncpg.pool.PoolConnectionProxy | asyncpg.Connection

DATA_ERRORS = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)
"""The rows themselves are refused: trying again cannot help, a smaller batch finds the one that is to blame."""

RETRIED_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    asyncio.TimeoutError,
    Retry,
)
"""Everything else that a database call raises: away, restarting, full, locked, being migrated. Tried again.

InternalClientError: asyncpg's way to say that the server cut the connection between two calls."""


_LONGEST_TRANSACTION = 6
"""Times the session time-out. Workers' transactions are short: a batch, a slice, a round."""


async def connect(settings: Settings, max_size: int = 4, is_worker: bool = False) -> asyncpg.Pool:
    """A pool of connections. Raises what asyncpg raises when the database is away.

    A worker that is paused inside a transaction loses it after a session time-out, as it loses its partitions:
    its successor must not wait for the locks of a process that may never come back. A session that hangs between
    preparing a statement and running it is not idle for PostgreSQL: for workers the whole transaction is bounded as
    well (PostgreSQL 17 and later).
    """
    dsn = settings.database_dsn.get_secret_value()
    server_settings = {
        "application_name": "lethe",
        "jit": "off",
        "idle_in_transaction_session_timeout": str(int(settings.session_timeout_s * 1000)),
    }
    if is_worker and await _bounds_transactions(dsn):
        server_settings["transaction_timeout"] = str(int(settings.session_timeout_s * 1000 * _LONGEST_TRANSACTION))
    return await asyncpg.create_pool(
        dsn, min_size=1, max_size=max_size, timeout=10, command_timeout=60, server_settings=server_settings
    )


async def _bounds_transactions(dsn: str) -> bool:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return bool(connection.get_server_version() >= (17,))
    finally:
        await connection.close()
