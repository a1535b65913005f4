"""A store that is a MySQL or MariaDB: tables, keys, columns as its file lists them; as for PostgreSQL otherwise.

Tables must be InnoDB: elsewhere a transaction that fails leaves its first half done (which the next attempt completes).
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import aiomysql
import pymysql

from workers.db import sql
from workers.stores import options as reading
from workers.stores.connector import Left, Misconfigured, Person, Unacceptable, Unavailable
from workers.stores.connectors import Surroundings
from workers.stores.directory import Store
from workers.stores.relational import Plan
from workers.stores.statements import MYSQL, Statement
from workers.stores.tables import SqlOptions

_QUERIES = sql.queries("foreign_mysql")
_LIST = re.compile(r"\{list(\d)(?::([a-z0-9(),]+))?\}")
_WRONG = frozenset({1044, 1045, 1049, 1054, 1064, 1142, 1143, 1146, 1227, 1290, 1792, 1836})
"""Errors of MySQL that a person must see to: access, unknown database, table or column, read-only."""


def connect(store: Store, _surroundings: Surroundings) -> "MysqlStore":
    """The connector of this store. Raises Misconfigured."""
    return MysqlStore(reading.parse(SqlOptions, store.options))


class MysqlStore:
    """Implements `connector.Connector`."""

    def __init__(self, options: SqlOptions) -> None:
        self._options = options
        self._plan: Plan | None = None

    async def check(self) -> list[str]:
        """Compare the file with the database; name keys without an index."""
        async with self._transaction("start transaction read only") as cursor:
            plan = await self._make_plan(cursor)
            lines = [f"connected; erases in this order: {', '.join(plan.order)}"]
            for table in self._options.tables:
                await cursor.execute(_QUERIES["leading_columns"], _split(table.table))
                indexed = {row[0] for row in await cursor.fetchall()}
                lines += [
                    f"no index begins with {table.table}.{column}: each task reads the whole table"
                    for column in table.sought_by
                    if column not in indexed
                ]
        return lines

    async def find(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        """Look now, in a transaction that can change nothing."""
        async with self._transaction("start transaction read only") as cursor:
            return await (await self._make_plan(cursor)).look(_Session(cursor, self._options.timeout_s), people)

    async def erase(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        """Erase all of them or none."""
        async with self._transaction("start transaction") as cursor:
            return await (await self._make_plan(cursor)).erase(_Session(cursor, self._options.timeout_s), people)

    async def close(self) -> None:
        """Each task has a connection of its own."""

    @asynccontextmanager
    async def _transaction(self, begin: str) -> AsyncIterator[Any]:
        """What the driver raises, as what it means for the task; never its text, which may quote rows."""
        connection = None
        try:
            connection = await aiomysql.connect(**_arguments(self._options))
            async with connection.cursor() as cursor:
                await cursor.execute("set innodb_lock_wait_timeout = %s", (max(1, int(self._options.timeout_s)),))
                await cursor.execute(begin)
                yield cursor
                await connection.commit()
        except (pymysql.IntegrityError, pymysql.DataError) as error:
            raise Unacceptable(f"the database refuses it: {_named(error)}") from None
        except pymysql.MySQLError as error:
            wrong = bool(error.args) and error.args[0] in _WRONG
            kind = Misconfigured if wrong else Unavailable
            raise kind(f"the database did not do it: {_named(error)}") from None
        except (OSError, TimeoutError) as error:
            raise Unavailable(f"the database did not do it: {type(error).__name__}") from None
        finally:
            if connection is not None:
                connection.close()

    async def _make_plan(self, cursor: Any) -> Plan:
        """Read once from the catalogue."""
        if self._plan is None:
            types = {}
            for table in self._options.tables:
                await cursor.execute(_QUERIES["columns"], _split(table.table))
                types[table.table] = dict(await cursor.fetchall())
            await cursor.execute(_QUERIES["references"], ())
            references = _references(await cursor.fetchall(), list(types))
            self._plan = Plan(self._options, MYSQL, types, references)
        return self._plan


class _Session:
    """Implements `relational.Session`."""

    def __init__(self, cursor: Any, timeout_s: float) -> None:
        self._cursor = cursor
        self._timeout_s = timeout_s

    async def fetch(self, statement: Statement, values: Mapping[str, Sequence[str]]) -> Sequence[Sequence[Any]]:
        """Rows as tuples."""
        await self.execute(statement, values)
        rows: Sequence[Sequence[Any]] = await self._cursor.fetchall()
        return rows

    async def execute(self, statement: Statement, values: Mapping[str, Sequence[str]]) -> None:
        """Run it."""
        async with asyncio.timeout(self._timeout_s):
            await self._cursor.execute(*expanded(statement, values))


def expanded(statement: Statement, values: Mapping[str, Sequence[str]]) -> tuple[str, list[str]]:
    """The SQL with a place for each value, and the parameters in the order of their places."""
    lists: list[str] = []

    def places(found: re.Match[str]) -> str:
        theirs = values[statement.lists[int(found[1]) - 1]]
        lists.extend(theirs)
        place = f"cast(%s as {found[2]})" if found[2] else "%s"
        return ", ".join([place] * len(theirs)) or "null"

    text = _LIST.sub(places, statement.sql)
    return text, [*statement.texts, *lists] if statement.texts_first else [*lists, *statement.texts]


def _arguments(options: SqlOptions) -> dict[str, Any]:
    """What `mysql://user:password@host:3306/database?ca=FILE` says; `tls=1` or `ca` has the server authenticated."""
    try:
        url = urlsplit(reading.secret(options.dsn))
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.scheme not in ("mysql", "mariadb") or not url.hostname:
            raise ValueError
        tls = {"ssl": ssl.create_default_context(cafile=asked.get("ca"))} if {"ca", "tls"} & set(asked) else {}
        return {
            "host": url.hostname, "port": url.port or 3306, "user": unquote(url.username or ""),
            "password": unquote(url.password or ""), "db": url.path.lstrip("/"), "charset": "utf8mb4",
            "connect_timeout": 10, **tls,
        }  # fmt: skip
    except (ValueError, OSError):
        raise Misconfigured("the secret is not a URL such as mysql://user:password@host:3306/shop?tls=1") from None


def _named(error: pymysql.MySQLError) -> str:
    """Class and number; the text may quote rows. A constraint's name is taken out of it, as it says what to do."""
    number = error.args[0] if error.args else "?"
    text = str(error.args[1]) if len(error.args) > 1 else ""
    constraint = re.search(r"CONSTRAINT `([A-Za-z0-9_$]{1,64})`", text)
    return f"{type(error).__name__} {number}" + (f" ({constraint[1]})" if constraint else "")


def _split(table: str) -> tuple[str | None, str]:
    schema, _, name = table.rpartition(".")
    return schema or None, name


def _references(rows: Sequence[Sequence[str]], tables: Sequence[str]) -> list[tuple[str, str]]:
    """(referring, referred), both as the store's file names them."""
    found = []
    for schema, name, referred_schema, referred_name, current in rows:
        places = {(owner or current, named): table for table in tables for owner, named in [_split(table)]}
        referring, referred = places.get((schema, name)), places.get((referred_schema, referred_name))
        if referring and referred:
            found.append((referring, referred))
    return found
