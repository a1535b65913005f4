"""What the at-least-once contenders keep: the dedupe key and the shipment, in clear, in one transaction."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from bench.contenders import common
from schemas.order import OrderPlaced

_SQL = common.queries("at_least_once")
_COLUMNS = ("shipment_id", "customer_ref", "carrier", "recipient")
Named = tuple[bytes, OrderPlaced]
"""An event's name (see `common.event_name`) and its order."""


async def open_store(dsn: str) -> asyncpg.Pool:
    """A pool on a database with fresh tables."""
    pool = await common.connect(dsn)
    await pool.execute(_SQL["create"])
    return pool


@asynccontextmanager
async def batch(pool: asyncpg.Pool, events: Sequence[Named]) -> AsyncIterator[list[OrderPlaced]]:
    """Store the orders that are new and hand them over; commits after the caller has published them.

    The other order, commit and then publish, would lose addresses in a crash: the dedupe would swallow
    the repetition.
    """
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(_SQL["claim"], [name for name, _ in events])
        fresh = {row[0] for row in rows}
        orders = []
        for name, order in events:
            if name in fresh:
                fresh.discard(name)
                orders.append(order)
        records = [_row(order) for order in orders]
        await connection.copy_records_to_table("shipments", records=records, columns=_COLUMNS)
        yield orders


@asynccontextmanager
async def one(pool: asyncpg.Pool, name: bytes, order: OrderPlaced) -> AsyncIterator[bool]:
    """Store one order, tell whether it is new, and commit after the caller has published it."""
    async with pool.acquire() as connection, connection.transaction():
        is_new = await connection.fetchval(_SQL["claim_one"], name) is not None
        if is_new:
            await connection.execute(_SQL["add_shipment"], *_row(order))
        yield is_new


def _row(order: OrderPlaced) -> tuple[Any, ...]:
    return order.order_id, order.customer_ref, order.carrier, order.ship_to.model_dump_json()
