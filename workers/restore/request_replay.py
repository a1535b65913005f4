"""Requests that ended after the backup was taken, by what was told on `confirmations`."""

from contextlib import aclosing
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from schemas import envelope, registry
from schemas.request import RequestChanged
from workers.db import sql
from workers.domain.requests import OPEN
from workers.restore import log_reading
from workers.settings import Settings

_QUERIES = sql.queries("restore")
_TOPIC = "confirmations"


class Ended(NamedTuple):
    """`closed`: requests that are at their end here too now; `lost`: open ones that this database does not know."""

    closed: int
    lost: list[UUID]


async def replay(pool: asyncpg.Pool, settings: Settings, now: datetime) -> Ended:
    """Close what had been closed. The outcome that was told last counts; memory grows with the requests in the topic,
    which holds a month."""
    last: dict[UUID, tuple[RequestChanged, datetime]] = {}
    async with aclosing(log_reading.read(settings, _TOPIC)) as batches:
        async for records in batches:
            for record in records:
                told = registry.decode(envelope.parse(list(record.headers), record.value))
                assert isinstance(told, RequestChanged)
                last[told.subject_request_id] = (told, datetime.fromtimestamp(record.timestamp / 1000, UTC))
    ended = [one for one in last.values() if one[0].request_status not in OPEN]
    still_open = [request_id for request_id, (told, _) in last.items() if told.request_status in OPEN]
    async with pool.acquire() as connection, connection.transaction():
        closed = await connection.fetch(
            _QUERIES["close_requests"], [told.subject_request_id for told, _ in ended],
            [told.request_status for told, _ in ended], [told.reason for told, _ in ended],
            [told.certificate for told, _ in ended], [at for _, at in ended],
        )  # fmt: skip
        numbers = [row["request_id"] for row in closed]
        await connection.execute(_QUERIES["forget_stores"], numbers)
        await connection.execute(_QUERIES["close_unreadable_requests"], now)
        lost = await connection.fetch(_QUERIES["unknown_requests"], still_open)
    return Ended(len(numbers), [row["request_id"] for row in lost])
