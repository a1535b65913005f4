"""The shop's database, on the same server as Lethe's: customers, addresses, orders, bookings, by foreign keys."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

from workers.cli import connections
from workers.db import sql
from workers.settings import Settings

if TYPE_CHECKING:
    from workers.cli.demo.people import Customer

STORE: Final = "webshop"
DATABASE: Final = "shop"
GROUND: Final = "Code de commerce L123-22: accounts, ten years"
_DSN_FILE: Final = "database.dsn"
_QUERIES = sql.queries("demo_shop")
_CREATION = sql.queries("databases")["creation"]


def description(folder: Path) -> dict[str, Any]:
    """The store's file. An order stays without its person, a booking stays whole: it names nobody."""
    return {
        "name": STORE, "title": "The shop's database", "kind": "postgresql", "identifiers": ["email", "order_id"],
        "backups_kept_days": 30,
        "options": {
            "dsn": f"file:{folder / _DSN_FILE}",
            "tables": [
                {"table": "customers", "keys": {"email": "email"}},
                {"table": "addresses",
                 "through": {"table": "customers", "column": "customer_id", "references": "customer_id"}},
                {"table": "orders", "keys": {"order_id": "number"},
                 "columns": {"customer_id": {"delete": True}, "ship_name": {"anonymise": "erased"},
                             "ship_street": {"delete": True}, "total": {"keep": GROUND}}},
                {"table": "bookings", "keys": {"order_id": "number"},
                 "keep": {"ground": GROUND, "years": 10, "since": "booked_on"}},
            ],
        },
    }  # fmt: skip


async def fill(settings: Settings, folder: Path, customers: "Sequence[Customer]") -> None:
    """Make the database and its tables; the DSN goes into a file that only its owner can read."""
    async with connections.database(settings, "postgres") as connection:
        await connection.execute(await connection.fetchval(_CREATION, DATABASE))
    file = folder / _DSN_FILE
    file.touch(mode=0o600)
    parts = urlsplit(settings.database_dsn.get_secret_value())
    file.write_text(urlunsplit(parts._replace(path=f"/{DATABASE}")))
    numbered = list(enumerate(customers, 1))
    orders = [(number, one, each) for number, one in numbered for each in one.orders]
    today = datetime.now(UTC).date()
    async with connections.database(settings, DATABASE) as connection, connection.transaction():
        await connection.execute(_QUERIES["tables"])
        for query, rows in (
            ("add_customer", [(number, p.reference, p.name, p.email, p.phone) for number, (p, _) in numbered]),
            ("add_address", [(number, p.street, p.postal_code, p.city) for number, (p, _) in numbered]),
            ("add_order", [(each, number, p.name, p.street, _total(each)) for number, (p, _), each in orders]),
            ("add_booking", [(each, _total(each), today) for _, _, each in orders]),
        ):
            await connection.executemany(_QUERIES[query], rows)


async def rows(settings: Settings) -> list[tuple[str, str | None, str]]:
    """Table, whose, all columns."""
    async with connections.database(settings, DATABASE) as connection:
        return [(row["part"], row["reference"], row["content"]) for row in await connection.fetch(_QUERIES["rows"])]


async def clean_up(settings: Settings) -> None:
    """What its operator does so that deleted rows leave the disk: a full vacuum, then a new WAL file."""
    async with connections.database(settings, DATABASE) as connection:
        for query in ("analyze", "vacuum", "switch_wal"):
            await connection.execute(_QUERIES[query])


def _total(order: str) -> Decimal:
    return Decimal(1000 + sum(order.encode()) * 7) / 100
