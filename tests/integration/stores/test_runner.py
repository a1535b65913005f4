"""The runner: leases, repetition, the circuit, stores that are disabled, slow or at fault."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import pytest

from tests.support import stores
from tests.support.sites.folder import FolderSite
from tests.support.stores import Desk, customers, desk, task
from workers.stores import connectors
from workers.stores.connector import Left, Person
from workers.stores.connectors import Surroundings
from workers.stores.directory import Store
from workers.stores.jobs import Jobs

PEOPLE = customers(3)
T = TypeVar("T")
START = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def site(tmp_path: Path) -> FolderSite:
    return FolderSite(tmp_path)


@pytest.fixture
async def at(database: str, tmp_path: Path, site: FolderSite) -> AsyncIterator[Desk]:
    broken = site.store.model_copy(update={"name": "broken", "options": {"path": "/nowhere"}})
    off = site.store.model_copy(update={"name": "off", "enabled": False})
    async with desk(database, tmp_path, site.store, broken, off, store_lease_s=1) as made:
        made.now = START
        yield made


async def test_a_task_that_arrives_twice_is_one_job(site: FolderSite, at: Desk) -> None:
    await site.plant(PEOPLE)
    given = task(site.store, "erase", PEOPLE, START)
    await at.give(given)
    await at.give(given)
    assert await at.runner.run_next(site.store)
    assert not await at.runner.run_next(site.store)
    assert len(await at.receipts()) == 1


async def test_a_task_that_was_answered_is_answered_again(site: FolderSite, at: Desk) -> None:
    await site.plant(PEOPLE)
    given = task(site.store, "erase", PEOPLE, START)
    for outcome in ("erased", "nothing_found"):
        await at.give(given)
        assert await at.runner.run_next(site.store)
        assert {one.outcome for one in (await at.receipts())[given.task_id].results} == {outcome}


async def test_tasks_of_a_store_keep_their_order(site: FolderSite, at: Desk) -> None:
    await site.plant(PEOPLE)
    erase, verify = task(site.store, "erase", PEOPLE, START), task(site.store, "verify", PEOPLE, START)
    await at.give(erase, verify)
    assert await at.runner.run_next(site.store)
    assert await at.runner.run_next(site.store)
    assert {one.outcome for one in (await at.receipts())[verify.task_id].results} == {"absent"}


async def test_what_a_dead_worker_had_in_hand_is_taken_over_when_its_lease_ends(site: FolderSite, at: Desk) -> None:
    await site.plant(PEOPLE)
    given = task(site.store, "erase", PEOPLE, START)
    await at.give(given)
    assert await Jobs(at.world.ring, at.world.settings, "dead").claim(at.world.pool, site.store.name, START)
    assert not await at.runner.run_next(site.store)
    at.now = START + timedelta(seconds=2)
    assert await at.runner.run_next(site.store)
    assert given.task_id in await at.receipts()


async def test_who_lost_the_lease_does_not_answer(site: FolderSite, at: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.plant(PEOPLE)
    await at.give(task(site.store, "erase", PEOPLE, START))
    slow = Slow()
    monkeypatch.setattr(connectors, "connect", lambda store, around: slow)
    running = asyncio.create_task(at.runner.run_next(site.store))
    await slow.began.wait()
    later = START + timedelta(seconds=10)
    assert await Jobs(at.world.ring, at.world.settings, "other").claim(at.world.pool, site.store.name, later)
    slow.may_end.set()
    assert await running
    assert await at.receipts() == {}


async def test_a_slow_store_keeps_its_lease(
    site: FolderSite, at: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    given = task(site.store, "erase", PEOPLE, START)
    await at.give(given)
    slow = Slow()
    monkeypatch.setattr(connectors, "connect", lambda store, around: slow)
    running = asyncio.create_task(at.runner.run_next(site.store))
    await slow.began.wait()
    at.now = later = START + timedelta(seconds=100)
    await until(lambda: at.world.pool.fetchval("select claimed_until from store_jobs"), lambda ends: ends > later)
    slow.may_end.set()
    assert await running
    assert given.task_id in await at.receipts()


async def test_a_store_that_hangs_is_left_when_the_time_is_over(
    site: FolderSite, at: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    given = task(site.store, "erase", PEOPLE, START, respond_in_s=0.2)
    await at.give(given)
    monkeypatch.setattr(connectors, "connect", lambda store, around: Slow())
    assert await at.runner.run_next(site.store)
    at.now = START + timedelta(seconds=1)
    assert await at.runner.answer_for_the_late() == 1
    (result, *_) = (await at.receipts())[given.task_id].results
    assert result.reason is not None
    assert result.reason.endswith("it was still at work when the time was over")


async def test_a_broken_store_holds_back_only_its_own(site: FolderSite, at: Desk) -> None:
    """Both loops run, as in the worker."""
    await site.plant(PEOPLE)
    broken = at.runner._stores["broken"]
    at.now = None
    theirs, ours = ([task(one, "erase", PEOPLE) for _ in range(3)] for one in (broken, site.store))
    await at.give(*theirs, *ours)
    loops = [asyncio.create_task(at.runner._serve(one)) for one in (broken, site.store)]
    await until(at.receipts, lambda found: len(found) == len(ours))
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
    assert set(await at.receipts()) == {one.task_id for one in ours}


async def test_the_circuit_opens_after_a_few_failures_and_closes_with_an_answer(site: FolderSite, at: Desk) -> None:
    await site.plant(PEOPLE)
    await site.break_down()
    await at.give(*(task(site.store, "verify", PEOPLE, START, 86400) for _ in range(5)))
    asked = 0
    while await at.runner.run_next(site.store):
        asked += 1
    assert asked == 3, "two more tasks are due, but nobody asks a store that failed three times in a row"
    (state,) = await at.world.rows("select failures_in_a_row, open_until > $1 from store_states", START)
    assert state == (3, True)
    await site.come_back()
    at.now = START + timedelta(minutes=1)
    assert await at.runner.run_next(site.store)
    (state,) = await at.world.rows("select failures_in_a_row, open_until from store_states")
    assert state == (0, None)


async def test_a_store_that_is_disabled_or_removed_is_answered_for(site: FolderSite, at: Desk) -> None:
    off = at.runner._stores["off"]
    removed = stores.store("folder", {}, name="removed")
    given = [task(off, "erase", PEOPLE, START, 30), task(removed, "erase", PEOPLE, START, 30)]
    await at.give(*given)
    at.now = START + timedelta(seconds=31)
    assert await at.runner.answer_for_the_late() == 2
    found = await at.receipts()
    for one in given:
        assert {result.reason for result in found[one.task_id].results} == {"the store is disabled"}


async def test_a_fault_of_ours_is_tried_again_and_told(
    site: FolderSite, at: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    given = task(site.store, "erase", PEOPLE, START)
    await at.give(given)

    def fail(store: Store, around: Surroundings) -> None:
        raise ZeroDivisionError(PEOPLE[0].email)

    monkeypatch.setattr(connectors, "connect", fail)
    assert await at.runner.run_next(site.store)
    reason = await at.world.pool.fetchval("select reason from store_jobs")
    assert reason == "a fault in Lethe's connector (ZeroDivisionError)"


async def test_a_waiting_task_holds_no_identifier_in_the_clear(site: FolderSite, at: Desk) -> None:
    await at.give(task(site.store, "erase", PEOPLE, START))
    (row,) = await at.world.pool.fetch("select * from store_jobs")
    assert row["wrapped_key"]
    for value in row.values():
        assert b"example.org" not in (value if isinstance(value, bytes) else str(value).encode())


async def until(ask: Callable[[], Awaitable[T]], holds: Callable[[T], bool]) -> None:
    """Ask until it holds, for half a minute at most."""
    async with asyncio.timeout(30):
        while not holds(await ask()):  # noqa: ASYNC110  # what is asked stands in the database
            await asyncio.sleep(0.02)


class Slow:
    """A connector that works until it is let go on; implements `connector.Connector`."""

    def __init__(self) -> None:
        self.began, self.may_end = asyncio.Event(), asyncio.Event()

    async def check(self) -> list[str]:
        return []

    async def find(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        return await self.erase(people)

    async def erase(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        self.began.set()
        await self.may_end.wait()
        return {}

    async def close(self) -> None:
        pass
