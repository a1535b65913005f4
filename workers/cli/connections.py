"""Connections of commands to PostgreSQL and Kafka; one that fails says in one line what to do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import asyncpg

from workers.errors import LetheError
from workers.settings import Settings

_CONNECT_TIMEOUT_S = 10


@asynccontextmanager
async def database(settings: Settings, name: str | None = None) -> AsyncIterator[asyncpg.Connection]:
    """One connection to the configured database, or to the database `name` on the same server.

    Raises LetheError when it cannot be made, `asyncpg.InvalidCatalogNameError` when the server has no such database.
    """
    try:
        connection = await asyncpg.connect(
            settings.database_dsn.get_secret_value(), database=name, timeout=_CONNECT_TIMEOUT_S
        )
    except asyncpg.InvalidCatalogNameError:
        raise
    except asyncpg.InvalidAuthorizationSpecificationError:
        raise LetheError(
            f"PostgreSQL at {place(settings)} refuses this user or password: correct LETHE_DATABASE_DSN"
        ) from None
    except asyncpg.PostgresError as error:
        raise LetheError(f"PostgreSQL at {place(settings)} refuses the connection ({type(error).__name__})") from None
    except (OSError, TimeoutError) as error:
        raise LetheError(
            f"PostgreSQL does not answer at {place(settings)} ({type(error).__name__}): start it (`lethe up` starts one"
            " here) or correct LETHE_DATABASE_DSN"
        ) from None
    except (ValueError, asyncpg.InterfaceError):
        raise LetheError(
            "LETHE_DATABASE_DSN is not a connection URI such as postgresql://user@host:5432/lethe"
        ) from None
    try:
        yield connection
    finally:
        await connection.close()


def database_name(settings: Settings) -> str:
    """The database that the DSN names."""
    parts = urlsplit(settings.database_dsn.get_secret_value())
    named = parse_qs(parts.query).get("dbname") or parse_qs(parts.query).get("database")
    return named[0] if named else parts.path.strip("/") or parts.username or "postgres"


def place(settings: Settings) -> str:
    """Host, port and database of the DSN: what may be shown of it."""
    parts = urlsplit(settings.database_dsn.get_secret_value())
    try:
        port = parts.port
    except ValueError:
        port = None
    host = parts.hostname or parse_qs(parts.query).get("host", ["localhost"])[0]
    return f"{host}{f':{port}' if port else ''}/{database_name(settings)}"


def kafka_away(settings: Settings, error: BaseException) -> LetheError:
    """The one line for a broker that cannot be reached."""
    return LetheError(
        f"Kafka does not answer at {settings.kafka_bootstrap} ({type(error).__name__}): start it (`lethe up` starts one"
        " here) or correct LETHE_KAFKA_BOOTSTRAP"
    )
