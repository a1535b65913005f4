"""Staff hear of deadlines in time, once a day and step, and every day of one that was missed."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.support.consents import ConsentWorld, consent_world
from workers.domain.deadlines import end_of
from workers.engine.exit import Exit
from workers.erasure.escalation import Escalation

PARIS = ZoneInfo("Europe/Paris")
TODAY = date(2026, 3, 28)  # the night before the clocks change in Paris
NOW = datetime(2026, 3, 28, 9, tzinfo=UTC)


@pytest.fixture
async def world(database: str, tmp_path: Path) -> AsyncIterator[ConsentWorld]:
    async with consent_world(database, tmp_path, staff_address="staff@shop.example") as made:
        yield made


async def request(world: ConsentWorld, days_left: int, closed: bool = False) -> uuid.UUID:
    """An open request with so many days left, or one that has ended."""
    number = uuid.uuid4()
    await world.pool.execute(
        "insert into requests (request_id, request_type, state, channel, language, received_at, due_at, closed_at, "
        "changed_at) values ($1, 'erasure', $2, 'web', 'en', $3, $4, $5, $3)",
        number, "completed" if closed else "in_progress", NOW - timedelta(days=20),
        end_of(TODAY + timedelta(days=days_left), PARIS), NOW if closed else None,
    )  # fmt: skip
    return number


async def told(world: ConsentWorld, now: datetime = NOW) -> list[dict[str, str]]:
    """What the new mails of one look say."""
    before = len(world.ledger.posted)
    mails = await world.count("mails")
    made = Escalation(world.pool, world.vault, world.ring, world.ledger, world.settings, lambda: now, Exit())
    new = await made.tell_staff()
    assert new == await world.count("mails") - mails
    posted = world.ledger.posted[before:]
    assert {(one.to, one.template) for one in posted} <= {("staff@shop.example", "requests_due")}
    return [dict(one.values) for one in posted] if new else []


async def test_nothing_is_said_while_there_is_time(world: ConsentWorld) -> None:
    await request(world, 11)
    await request(world, 3, closed=True)
    assert await told(world) == []


async def test_one_mail_a_step_names_the_first_and_counts_the_others(world: ConsentWorld) -> None:
    first = await request(world, 6)
    await request(world, 9)
    await request(world, 10)
    missed = await request(world, -1)
    last_day = await request(world, 0)
    said = {one["days_left"]: (one["count"], one["reference"]) for one in await told(world)}
    assert said == {"-1": ("1", str(missed)), "0": ("1", str(last_day)), "10": ("3", str(first))}


async def test_it_is_said_once_a_day(world: ConsentWorld) -> None:
    await request(world, -3)
    assert len(await told(world)) == 1
    assert await told(world, NOW + timedelta(hours=5)) == []
    (again,) = await told(world, NOW + timedelta(days=1))
    assert again["due_on"] == "25 March 2026"


async def test_the_mail_names_nobody_and_stands_sealed(world: ConsentWorld) -> None:
    await request(world, 2)
    (said,) = await told(world)
    assert set(said) == {"shop", "count", "days_left", "reference", "due_on", "state"}
    assert b"staff@shop.example" not in await world.pool.fetchval("select sealed from mails")
