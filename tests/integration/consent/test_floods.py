"""How often one address or source may ask."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.consents import ConsentWorld, consent_world
from tests.support.orders import NOW
from workers.consent.floods import Floods


@pytest.fixture
async def world(database: str, tmp_path: Path) -> AsyncIterator[ConsentWorld]:
    async with consent_world(database, tmp_path) as made:
        yield made


async def ask(world: ConsentWorld, seconds: float = 0, key: str = "a", kind: str = "sign_up", limit: int = 3) -> bool:
    async with world.pool.acquire() as connection, connection.transaction():
        now = NOW + timedelta(seconds=seconds)
        return await Floods(world.ring).allow(connection, kind, key, limit, 3600, now)


async def test_so_often_and_no_more(world: ConsentWorld) -> None:
    assert [await ask(world, n) for n in range(5)] == [True, True, True, False, False]


async def test_keys_and_kinds_are_counted_apart(world: ConsentWorld) -> None:
    assert all([await ask(world) for _ in range(3)])
    assert await ask(world, key="b")
    assert await ask(world, kind="contact")
    assert not await ask(world)


async def test_the_window_slides(world: ConsentWorld) -> None:
    """NOW is a full hour: what was asked in its last minutes still counts at the beginning of the next one."""
    assert all([await ask(world, 3500 + n) for n in range(3)])
    assert not await ask(world, 3700)
    assert await ask(world, 3600 + 1800)
    assert await ask(world, 3 * 3600)


async def test_what_was_not_allowed_is_not_counted(world: ConsentWorld) -> None:
    for n in range(20):
        await ask(world, n)
    assert await ask(world, 2 * 3600)


async def test_many_at_once_get_no_more_than_the_limit(world: ConsentWorld) -> None:
    assert sum(await asyncio.gather(*(ask(world) for _ in range(8)))) == 3


async def test_the_key_is_kept_as_a_hash_only(world: ConsentWorld) -> None:
    await ask(world, key="planted@example.com")
    assert "planted" not in str([dict(row) for row in await world.pool.fetch("select * from floods")])
