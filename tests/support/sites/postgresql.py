"""A shop's PostgreSQL: customers, their orders with lines, invoices that the law keeps."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from tests.support import stores
from tests.support.stores import Customer

TABLES = """
create table customers (customer_id serial primary key, ref text unique, email text, phone text);
create index on customers (lower(email));
create table orders (
    order_id integer primary key, customer_id integer references customers on delete restrict, ship_name text,
    note text, total numeric not null
);
create table order_lines (order_id integer not null references orders, line integer, engraving text);
create table visits (email varchar(100), page text);
"""
LIE = """
create function lie() returns trigger language plpgsql as 'begin return null; end';
create trigger lie before delete on customers for each row execute function lie();
"""
OPTIONS: dict[str, object] = {
    "timeout_s": 5,
    "tables": [
        {"table": "customers", "keys": {"email": "email", "customer_ref": "ref"}},
        {"table": "orders", "through": {"table": "customers", "column": "customer_id", "references": "customer_id"}},
        {"table": "order_lines", "through": {"table": "orders", "column": "order_id", "references": "order_id"}},
        {"table": "visits", "keys": {"email": "email"}},
    ],
}


class PostgresqlSite:
    """Implements `Site`."""

    can_lie = True

    def __init__(self, dsn: str, variable: str) -> None:
        self.dsn = dsn
        self._variable = variable
        self.store = stores.store("postgresql", {**OPTIONS, "dsn": f"env:{variable}"}, name="webshop")

    async def run(self, script: str) -> None:
        """SQL as the shop's own account runs it."""
        connection = await asyncpg.connect(self.dsn)
        await connection.execute(script)
        await connection.close()

    async def rows(self, query: str, *arguments: object) -> list[tuple[object, ...]]:
        """What the shop itself sees."""
        connection = await asyncpg.connect(self.dsn)
        rows = await connection.fetch(query, *arguments)
        await connection.close()
        return [tuple(row) for row in rows]

    async def plant(self, people: Sequence[Customer]) -> None:
        connection = await asyncpg.connect(self.dsn)
        for person in people:
            number = await connection.fetchval(
                "insert into customers (ref, email, phone) values ($1, $2, '06') returning customer_id",
                person.customer_ref, person.email.upper(),
            )  # fmt: skip
            await connection.execute("insert into visits values ($1, '/'), ($1, '/shop')", person.email)
            for order in person.order_ids:
                row = (int(order), number, person.email)
                await connection.execute("insert into orders values ($1, $2, $3, 'ring twice', 9.99)", *row)
                await connection.execute("insert into order_lines values ($1, 1, $2)", int(order), person.email)
        await connection.close()

    async def content(self, people: Sequence[Customer]) -> object:
        refs = [person.customer_ref for person in people]
        orders = [int(order) for person in people for order in person.order_ids]
        return [
            await self.rows("select * from customers where ref = any($1) order by 1", refs),
            await self.rows("select * from orders where order_id = any($1) order by 1", orders),
            await self.rows("select * from order_lines where order_id = any($1) order by 1", orders),
            await self.rows("select * from visits where email = any($1) order by 1, 2", [one.email for one in people]),
        ]

    async def is_empty_of(self, person: Customer) -> bool:
        return await self.content([person]) == [[], [], [], []]

    async def break_down(self) -> None:
        await self.run("alter table orders rename to orders_elsewhere")

    async def come_back(self) -> None:
        await self.run("alter table orders_elsewhere rename to orders")

    async def lie(self) -> None:
        await self.run("alter table orders drop constraint orders_customer_id_fkey;" + LIE)


@asynccontextmanager
async def site(dsn: str) -> AsyncIterator[PostgresqlSite]:
    """A shop in the empty database `dsn`."""
    variable = f"SHOP_DSN_{dsn.rpartition('/')[2].upper()}"
    os.environ[variable] = dsn
    made = PostgresqlSite(dsn, variable)
    await made.run(TABLES)
    try:
        yield made
    finally:
        del os.environ[variable]
