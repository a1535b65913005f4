"""A person who is erased leaves nothing but their no."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.consents import ConsentWorld, change, consent_world
from tests.support.orders import NOW
from workers.domain.consent import Entity, Kind
from workers.errors import Refused


@pytest.fixture
async def world(database: str, tmp_path: Path) -> AsyncIterator[ConsentWorld]:
    async with consent_world(database, tmp_path) as made:
        yield made


async def erase(world: ConsentWorld, subject_id: int) -> int:
    """As an erasure goes: the no, then the fence, then the deletion, each committed by itself."""
    async with world.pool.acquire() as connection:
        async with connection.transaction():
            await world.desk.withdraw_subjects(connection, [subject_id], NOW)
        await connection.execute("update subjects set fenced_at = $2 where subject_id = $1", subject_id, NOW)
        async with connection.transaction():
            return sum((await world.desk.erase_subjects(connection, [subject_id])).values())


async def test_nothing_is_left_but_the_suppression(world: ConsentWorld) -> None:
    await world.subscribe()
    await world.subscribe("otto@example.com")
    subject_id = await world.pool.fetchval("select subject_id from contacts order by contact_id limit 1")
    assert await erase(world, subject_id) == 1
    assert await world.suppressions() == {"*": "withdrawn"}
    assert await world.pool.fetchval("select count(*) from contacts where subject_id = $1", subject_id) == 0
    for table in ("contacts", "consents"):
        assert await world.count(table) == 1, "another person's stays"
    assert await world.count("consent_events") == 2
    assert await world.count("tokens") == 1


async def test_neither_an_import_nor_an_old_yes_brings_an_erased_person_back(world: ConsentWorld) -> None:
    await world.subscribe()
    subject_id = await world.pool.fetchval("select subject_id from contacts")
    await erase(world, subject_id)
    await world.pool.execute("delete from subjects")
    imported = change(Kind.IMPORTED, double_opt_in=True, privacy_notice="1")
    old = change(Kind.GIVEN, double_opt_in=True, entity=Entity.UPSTREAM, event_time=NOW - timedelta(hours=1))
    for late in (imported, old):
        await world.apply(late, now=NOW + timedelta(days=1))
        assert await world.status() is None
    assert await world.count("contacts") == 0


async def test_they_may_come_back_by_themselves(world: ConsentWorld) -> None:
    await world.subscribe()
    await erase(world, await world.pool.fetchval("select subject_id from contacts"))
    await world.pool.execute("delete from subjects")
    await world.subscribe(now=NOW + timedelta(days=2))
    assert await world.status() == "ConsentGiven"


async def test_their_no_must_come_before_the_fence(world: ConsentWorld) -> None:
    """Afterwards their addresses cannot be opened: nothing would be suppressed, and nobody would notice."""
    await world.subscribe()
    subject_id = await world.pool.fetchval("update subjects set fenced_at = $1 returning subject_id", NOW)
    async with world.pool.acquire() as connection:
        with pytest.raises(Refused):
            await world.desk.withdraw_subjects(connection, [subject_id], NOW)
