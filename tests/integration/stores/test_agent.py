"""The stores agent: which tasks become jobs, and which are parked."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from schemas import registry
from schemas.store import StoreTask
from tests.support import stores
from tests.support.engine import Engine, engine
from tests.support.orders import NOW, Published, event
from tests.support.stores import customers, task
from workers import store_tasks
from workers.stores import jwe
from workers.stores.jobs import Jobs

PEOPLE = customers(400)
SHOP = stores.store("folder", {}, name="webshop")
OFF = stores.store("folder", {}, name="off", enabled=False)
ERP = stores.store("external", {}, name="erp", public_key=jwe.public_text(jwe.generate()))


@pytest.fixture
async def at(database: str, tmp_path: Path) -> AsyncIterator[Engine]:
    async with engine(database, tmp_path) as world:
        jobs = Jobs(world.ring, world.settings, "test")
        named = {one.name: one for one in (SHOP, OFF, ERP)}
        unit = lambda: store_tasks.StoreTasksUnit(named, jobs)  # noqa: E731
        yield Engine(world.pool, world.ring, world.settings, unit, store_tasks.NAME, store_tasks.TOPIC)


def given(one: StoreTask, key: str | None = None, event_id: str = "1") -> Published:
    """The task as the relay publishes it."""
    made = event("store.task", event_id=event_id, key=(key or one.store).encode())
    return made._replace(value=registry.encode(one))


async def waiting(at: Engine) -> list[tuple[object, ...]]:
    return await at.rows("select task_id, store, action, subject_count from store_jobs order by store_job_id")


async def test_a_task_becomes_a_job_that_waits_also_of_a_store_that_is_disabled(at: Engine) -> None:
    tasks = [task(SHOP, "erase", PEOPLE[:2], NOW), task(OFF, "verify", PEOPLE[:1], NOW)]
    await at.apply(*(given(one, event_id=str(one.task_id)) for one in tasks))
    assert await waiting(at) == [(tasks[0].task_id, "webshop", "erase", 2), (tasks[1].task_id, "off", "verify", 1)]
    assert await at.letters() == []


async def test_an_external_system_answers_itself(at: Engine) -> None:
    await at.apply(given(task(ERP, "erase", PEOPLE[:2], NOW)))
    assert (await waiting(at), await at.letters(), await at.position()) == ([], [], 1)


async def test_a_task_about_hundreds_is_taken_in(at: Engine) -> None:
    """Larger than other events may be; and the ciphertexts are not taken for card numbers."""
    large = given(task(SHOP, "erase", PEOPLE, NOW))
    assert large.value is not None
    many = [given(task(SHOP, "erase", PEOPLE, NOW), event_id=str(number)) for number in range(10)]
    await at.apply(*many)
    assert await at.letters() == []
    assert len(await waiting(at)) == 10


async def test_a_task_for_a_store_that_has_no_file_is_parked(at: Engine) -> None:
    await at.apply(given(task(stores.store("folder", {}, name="gone"), "erase", PEOPLE[:1], NOW)))
    assert await at.letters() == [("unknown_store", "parked", 1, True)]


async def test_a_key_that_is_not_the_store_is_parked(at: Engine) -> None:
    await at.apply(given(task(SHOP, "erase", PEOPLE[:1], NOW), key="crm"))
    assert await at.letters() == [("key_invalid", "parked", 1, True)]


async def test_the_same_task_in_two_events_is_one_job(at: Engine) -> None:
    one = task(SHOP, "erase", PEOPLE[:1], NOW + timedelta(seconds=0))
    await at.apply(given(one, event_id="1"), given(one, event_id="2"))
    assert len(await waiting(at)) == 1
