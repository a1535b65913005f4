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


async def connect(settings: Settings, max_size: int = 4, is_worker: bool = False) -> asyncpg.Pool:
    """A pool of connections. Raises what asyncpg raises when the database is away.

    A worker that is paused inside a transaction loses it after a session time-out, as it loses its partitions:
    its successor must not wait for the locks of a process that may never come back (and see `session_watch`).
    """
    return await asyncpg.create_pool(
        settings.database_dsn.get_secret_value(),
        min_size=1,
        max_size=max_size,
        timeout=10,
        command_timeout=60,
        server_settings={
            "application_name": "lethe worker" if is_worker else "lethe",
            "jit": "off",
            "idle_in_transaction_session_timeout": str(int(settings.session_timeout_s * 1000)),
        },
    )
