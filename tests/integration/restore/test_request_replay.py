"""Requests that ended after a backup was taken are closed again, by what upstream was told."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from schemas import envelope, registry
from schemas.attributes import CloudEvent
from schemas.request import RequestChanged
from tests.support import lethe
from tests.support.endpoints import Endpoints
from tests.support.orders import Published
from workers.engine import database
from workers.errors import UsageError
from workers.restore import log_reading, request_replay
from workers.settings import Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INSERT = """
insert into requests (
    request_id, request_type, state, channel, language, key_subject_id, received_at, due_at, changed_at
)
values ($1, 'erasure', 'in_progress', 'web', 'en', $2, $3, $3, $3)
"""


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path) -> Settings:
    return lethe.prepare(stack, prefix, database, tmp_path)


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    made = await database.connect(settings)
    yield made
    await made.close()


def told(number: int, status: str, certificate: int | None = None) -> Published:
    model = RequestChanged(
        subject_request_id=UUID(int=number), subject_request_type="erasure", request_status=status,
        received_time=NOW, expected_completion_time=NOW, certificate=certificate,
    )  # fmt: skip
    event = CloudEvent(f"{number}.{status}", "lethe", "request.changed", NOW, str(number), None, registry.encode(model))
    return Published(str(number).encode(), list(envelope.to_headers(event)), registry.encode(model))


async def states(pool: asyncpg.Pool) -> dict[int, tuple[str, str, int | None]]:
    rows = await pool.fetch("select request_id, state, step, certificate from requests")
    return {UUID(str(one[0])).int: (one[1], one[2], one[3]) for one in rows}


async def test_what_ended_is_closed_what_was_lost_is_named_what_is_open_stays(
    settings: Settings, pool: asyncpg.Pool
) -> None:
    for number in (1, 2, 3):
        await pool.execute(INSERT, UUID(int=number), number, NOW)
    await pool.execute(INSERT, UUID(int=4), None, NOW)
    events = [told(1, "in_progress"), told(2, "in_progress"), told(1, "completed", 7), told(9, "in_progress")]
    lethe.publish(settings, [*events, told(8, "refused")], "confirmations")
    assert await request_replay.replay(pool, settings, NOW) == (1, [UUID(int=9)])
    assert await states(pool) == {
        1: ("completed", "certified", 7),
        2: ("in_progress", "none", None),
        3: ("in_progress", "none", None),
        4: ("partly_completed", "certified", None),
    }
    assert await request_replay.replay(pool, settings, NOW) == (0, [UUID(int=9)])


async def test_a_topic_that_holds_nothing_is_read_to_its_end(settings: Settings) -> None:
    assert [batch async for batch in log_reading.read(settings, "ledger")] == []


async def test_a_topic_that_is_missing_is_not_an_empty_one(settings: Settings) -> None:
    with pytest.raises(UsageError, match="nowhere cannot be read"):
        _ = [batch async for batch in log_reading.read(settings, "nowhere")]
