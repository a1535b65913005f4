"""A store that is a PostgreSQL database: tables, keys, columns as its file lists them.

All people of a task are one transaction: counted, then erased table by table, who refers to another before it. The look
afterwards (`find`) is a transaction of its own.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg

from workers.db import sql
from workers.stores import options as reading
from workers.stores.connector import Left, Misconfigured, Person, Unacceptable, Unavailable
from workers.stores.connectors import Surroundings
from workers.stores.directory import Store
from workers.stores.relational import Plan
from workers.stores.statements import POSTGRESQL, Statement
from workers.stores.tables import SqlOptions

_QUERIES = sql.queries("foreign_postgresql")
_WRONG = (
    asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError,
    asyncpg.SyntaxOrAccessError, asyncpg.ReadOnlySQLTransactionError,
)  # fmt: skip
_REFUSED = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.RaiseError)
_AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


def connect(store: Store, _surroundings: Surroundings) -> "PostgresqlStore":
    """The connector of this store. Raises Misconfigured."""
    return PostgresqlStore(reading.parse(SqlOptions, store.options))


class PostgresqlStore:
    """Implements `connector.Connector`."""

    def __init__(self, options: SqlOptions) -> None:
        self._options = options
        self._pool: asyncpg.Pool | None = None
        self._plan: Plan | None = None

    async def check(self) -> list[str]:
        """Compare the file with the database; name keys without an index."""
        async with _explained(), self._transaction(readonly=True) as connection:
            plan = await self._make_plan(connection)
            lines = [f"connected; erases in this order: {', '.join(plan.order)}"]
            for table in self._options.tables:
                indexes = " ".join(row[0] for row in await connection.fetch(_QUERIES["leading_columns"], table.table))
                lines += [
                    f"no index begins with {table.table}.{column}: each task reads the whole table"
                    for column in table.sought_by
                    if column not in indexes
                ]
        return lines

    async def find(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        """Look now, in a transaction that can change nothing."""
        async with _explained(), self._transaction(readonly=True) as connection:
            return await (await self._make_plan(connection)).look(_Session(connection), people)

    async def erase(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        """Erase all of them or none."""
        async with _explained(), self._transaction(readonly=False) as connection:
            return await (await self._make_plan(connection)).erase(_Session(connection), people)

    async def close(self) -> None:
        """End the connections."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    @asynccontextmanager
    async def _transaction(self, readonly: bool) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        if self._pool is None:
            timeout_ms = str(int(self._options.timeout_s * 1000))
            self._pool = await asyncpg.create_pool(
                _dsn(self._options), min_size=0, max_size=2, timeout=10, command_timeout=self._options.timeout_s + 5,
                server_settings={"application_name": "lethe stores", "statement_timeout": timeout_ms,
                                 "lock_timeout": timeout_ms, "idle_in_transaction_session_timeout": timeout_ms},
            )  # fmt: skip
        async with self._pool.acquire(timeout=10) as connection, connection.transaction(readonly=readonly):
            yield connection

    async def _make_plan(self, connection: asyncpg.pool.PoolConnectionProxy) -> Plan:
        """Read once from the catalogue."""
        if self._plan is None:
            names = [table.table for table in self._options.tables]
            types = {
                name: {row["name"]: row["type"] for row in await connection.fetch(_QUERIES["columns"], name)}
                for name in names
            }
            rows = await connection.fetch(_QUERIES["references"], names)
            references = [(row["referring"], row["referred"]) for row in rows]
            self._plan = Plan(self._options, POSTGRESQL, types, references)
        return self._plan


class _Session:
    """Implements `relational.Session`."""

    def __init__(self, connection: asyncpg.pool.PoolConnectionProxy) -> None:
        self._connection = connection

    async def fetch(self, statement: Statement, values: Mapping[str, Sequence[str]]) -> Sequence[Sequence[Any]]:
        """Rows as tuples."""
        rows = await self._connection.fetch(statement.sql, *_parameters(statement, values))
        return [tuple(row) for row in rows]

    async def execute(self, statement: Statement, values: Mapping[str, Sequence[str]]) -> None:
        """Run it."""
        await self._connection.execute(statement.sql, *_parameters(statement, values))


def _parameters(statement: Statement, values: Mapping[str, Sequence[str]]) -> list[object]:
    return [*(list(values[name]) for name in statement.lists), *statement.texts]


def _dsn(options: SqlOptions) -> str:
    return reading.secret(options.dsn)


@asynccontextmanager
async def _explained() -> AsyncIterator[None]:
    """What the driver raises, as what it means for the task; never its text, which may quote rows."""
    try:
        yield
    except _REFUSED as error:
        constraint = getattr(error, "constraint_name", None)
        where = f" ({constraint})" if constraint else ""
        raise Unacceptable(f"the database refuses it: {type(error).__name__}{where}") from None
    except _WRONG as error:
        raise Misconfigured(f"the database does not allow it: {type(error).__name__}; see its log") from None
    except (ValueError, asyncpg.ClientConfigurationError):
        raise Misconfigured("the secret is not a connection URI such as postgresql://user@host:5432/shop") from None
    except _AWAY as error:
        raise Unavailable(f"the database did not do it: {type(error).__name__}") from None
