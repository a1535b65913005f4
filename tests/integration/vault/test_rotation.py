"""Rotation on a real PostgreSQL: survivors stay readable, the old epoch is gone, nobody wraps under it afterwards."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import asyncpg
import pytest

from tests.support import vaults
from tests.support.engine import Engine, engine
from tests.support.orders import NOW, event, placed
from workers.engine.exit import Exit
from workers.engine.keyring_watch import KeyringWatch
from workers.errors import DatabaseRestored, KeyMissing, KeyNotHere
from workers.vault import epochs, key_files, keyring, rotation, survivors
from workers.vault.keyring import Keyring
from workers.vault.rotation import Rotation
from workers.vault.wrapped_tables import TABLES

PEOPLE = [f"person-{number}" for number in range(300)]


class Shop(NamedTuple):
    """An engine whose keyring was read before any rotation, as in a worker that runs."""

    engine: Engine
    pool: asyncpg.Pool
    ring: Keyring
    folder: Path

    async def rotate(self) -> Rotation:
        return await rotation.rotate(self.pool, self.folder, lambda: NOW)

    async def wrapped(self) -> set[int]:
        """The epochs that rows refer to."""
        used = "select key_epoch from {} where key_epoch is not null"
        return {row[0] for table in TABLES for row in await self.pool.fetch(used.format(table.name))}

    async def until(self, query: str, *wanted: int) -> None:
        """Return once the query's value is one of those."""
        for _ in range(3000):
            if await self.pool.fetchval(query) in wanted:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"never: {query} in {wanted}")

    def files(self) -> set[int]:
        return {int(path.stem) for path in (self.folder / "epochs").glob("*.key")}


@pytest.fixture
async def shop(database: str, tmp_path: Path) -> AsyncIterator[Shop]:
    async with engine(database, tmp_path) as made:
        yield Shop(made, made.pool, made.ring, made.settings.keyring_dir)


async def test_everything_that_survives_is_readable_and_the_old_epoch_is_gone(shop: Shop) -> None:
    sealed = await vaults.put(shop.pool, shop.ring, PEOPLE)
    await vaults.put_mail(shop.pool, shop.ring)
    await shop.engine.apply(event("order.ready", "unknown"))
    assert await shop.rotate() == Rotation(1, 2, len(PEOPLE) + 1 + 1 + 1), "the refused event's customer as well"
    assert await shop.wrapped() == {2}
    assert shop.files() == {2}
    for ring in (shop.ring, keyring.load(shop.folder)):
        await vaults.read(shop.pool, ring, sealed)
        assert await vaults.read_mail(shop.pool, ring) == vaults.MAIL
        assert await vaults.read_letters(shop.pool, ring) == 1
    known = await epochs.known(shop.pool, shop.folder)
    assert known == (2, {2}, {1})


async def test_an_older_backup_is_readable_but_for_those_who_are_gone(shop: Shop) -> None:
    sealed = await vaults.put(shop.pool, shop.ring, PEOPLE)
    await vaults.put_mail(shop.pool, shop.ring)
    backup = await shop.pool.fetch("select reference_hash, wrapped_key, key_epoch from subjects")
    gone = UUID(bytes=shop.engine.vault.reference_hash(PEOPLE[0]))
    await shop.pool.execute("delete from subjects where reference_hash = $1", gone)
    for _ in range(2):
        await shop.rotate()
    assert [path.name for path in (shop.folder / "survivors").iterdir()] == ["3"], "older copies are of no use"
    await shop.pool.execute("delete from subjects")
    await shop.pool.executemany(
        "insert into subjects (reference_hash, wrapped_key, key_epoch) values ($1, $2, $3)",
        [tuple(row) for row in backup],
    )
    async with shop.pool.acquire() as connection, connection.transaction():
        assert await survivors.bring_back(connection, shop.folder, {3}, [1, 2]) == len(PEOPLE) - 1
    unreadable = await shop.pool.fetch("select reference_hash from subjects where key_epoch = 1")
    assert [row[0] for row in unreadable] == [gone]
    del sealed[PEOPLE[0]]
    await vaults.read(shop.pool, keyring.load(shop.folder), sealed)


async def test_no_table_with_wrapped_keys_is_forgotten(shop: Shop) -> None:
    """Its keys would be lost with the first rotation: add it to TABLES."""
    named = "select table_name from information_schema.columns where column_name = 'wrapped_key' and table_schema = $1"
    assert {row[0] for row in await shop.pool.fetch(named, "public")} == {table.name for table in TABLES}


async def test_a_copy_of_a_row_from_before_opens_with_nothing_that_is_left(shop: Shop) -> None:
    await vaults.put(shop.pool, shop.ring, PEOPLE[:1])
    (copy,) = await shop.pool.fetch("select reference_hash, wrapped_key, key_epoch from subjects")
    await shop.rotate()
    await shop.pool.execute("update subjects set wrapped_key = $1, key_epoch = $2", copy["wrapped_key"], 1)
    with pytest.raises(KeyMissing):
        await vaults.read(shop.pool, keyring.load(shop.folder), {PEOPLE[0]: b""})


async def test_a_running_worker_wraps_under_the_new_epoch_without_a_restart(shop: Shop) -> None:
    await vaults.put(shop.pool, shop.ring, PEOPLE[:5])
    await shop.rotate()
    sealed = await vaults.put(shop.pool, shop.ring, PEOPLE)
    await vaults.put_mail(shop.pool, shop.ring)
    await shop.engine.apply(placed("o1"), event("order.ready", "unknown"))
    assert await shop.wrapped() == {2}
    await vaults.read(shop.pool, keyring.load(shop.folder), sealed)


async def test_a_data_key_that_is_being_made_is_waited_for(shop: Shop) -> None:
    async with shop.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        subjects = shop.engine.vault
        held = await subjects.hold(connection, [subjects.reference_hash("late")])
        sealed = held[subjects.reference_hash("late")].key.seal(b"late", vaults.PLACE)
        rotating = asyncio.create_task(shop.rotate())
        await shop.until("select max(epoch) from key_epochs", 2)
        done, _ = await asyncio.wait([rotating], timeout=0.4)
        assert not done, "the old epoch must not go while a key that it wraps may still be committed"
        assert shop.files() == {1, 2}
        await transaction.commit()
    assert await rotating == Rotation(1, 2, 1)
    await vaults.read(shop.pool, shop.ring, {"late": sealed})


async def test_who_began_before_the_switch_and_wraps_after_it_wraps_under_the_new_one(shop: Shop) -> None:
    async with shop.pool.acquire() as connection, connection.transaction():
        await connection.fetchval("select count(*) from subjects")
        await shop.rotate()
        held = await shop.engine.vault.hold(connection, [shop.engine.vault.reference_hash("late")])
        assert held
    assert await shop.wrapped() == {2}


async def test_a_row_in_use_is_waited_for_and_the_others_are_not_held_up(shop: Shop) -> None:
    sealed = await vaults.put(shop.pool, shop.ring, PEOPLE)
    async with shop.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await shop.engine.vault.hold(connection, [shop.engine.vault.reference_hash(PEOPLE[7])])
        rotating = asyncio.create_task(shop.rotate())
        await shop.until("select count(*) from subjects where key_epoch = 1", 1)
        assert shop.files() == {1, 2}
        assert not rotating.done()
        await transaction.commit()
    await rotating
    assert shop.files() == {2}
    await vaults.read(shop.pool, shop.ring, sealed)


async def test_two_at_once_are_one(shop: Shop) -> None:
    sealed = await vaults.put(shop.pool, shop.ring, PEOPLE)
    async with shop.pool.acquire() as lock:
        await lock.execute("select pg_advisory_lock(hashtextextended('lethe.rotation', 0))")
        begun = [asyncio.create_task(shop.rotate()) for _ in range(2)]
        await asyncio.sleep(0.3)
        await lock.execute("select pg_advisory_unlock_all()")
    both = await asyncio.gather(*begun)
    assert {(one.retired_epoch, one.current_epoch) for one in both} == {(1, 2)}
    assert sum(one.rewrapped for one in both) == len(PEOPLE)
    assert await shop.rotate() == Rotation(2, 3, len(PEOPLE))
    await vaults.read(shop.pool, shop.ring, sealed)


async def test_one_that_has_switched_already_does_not_serve_a_later_call(shop: Shop) -> None:
    """A key deleted in between may have been wrapped by both epochs."""
    await vaults.put(shop.pool, shop.ring, PEOPLE[:2])
    async with shop.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await shop.engine.vault.hold(connection, [shop.engine.vault.reference_hash(PEOPLE[0])])
        first = asyncio.create_task(shop.rotate())
        await shop.until("select count(*) from subjects where key_epoch = 2", 1)
        await shop.pool.execute("delete from subjects where key_epoch = 2")
        second = asyncio.create_task(shop.rotate())
        await asyncio.sleep(0.1)
        await transaction.commit()
    assert (await first).retired_epoch == 1
    assert (await second).retired_epoch == 2
    assert shop.files() == {3}


async def test_workers_go_on_meanwhile(shop: Shop) -> None:
    sealed = await vaults.put(shop.pool, shop.ring, PEOPLE)
    stopped = asyncio.Event()

    async def work() -> int:
        number = 0
        while not stopped.is_set():
            number += 1
            await shop.engine.apply(placed(f"o{number}", f"new-{number}"), placed(f"p{number}", PEOPLE[number % 300]))
        return number

    working = asyncio.create_task(work())
    done = [await shop.rotate() for _ in range(5)]
    stopped.set()
    assert await working > 5
    assert [one.retired_epoch for one in done] == [1, 2, 3, 4, 5]
    assert await shop.wrapped() <= {6}
    assert shop.files() == {6}
    fresh = keyring.load(shop.folder)
    await vaults.read(shop.pool, fresh, sealed)
    async with shop.pool.acquire() as connection, connection.transaction():
        ids = [row[0] for row in await connection.fetch("select subject_id from subjects")]
        assert len(await Engine(shop.pool, fresh, shop.engine.settings).vault.hold_by_id(connection, ids)) == len(ids)


async def test_a_key_that_does_not_open_stops_it_before_anything_is_destroyed(shop: Shop) -> None:
    sealed = await vaults.put(shop.pool, shop.ring, PEOPLE[:3])
    bent = UUID(bytes=shop.engine.vault.reference_hash(PEOPLE[1]))
    await shop.pool.execute("update subjects set wrapped_key = reverse(wrapped_key) where reference_hash = $1", bent)
    with pytest.raises(KeyMissing, match="a data key in subjects does not open"):
        await shop.rotate()
    assert shop.files() == {1, 2}
    del sealed[PEOPLE[1]]
    await shop.pool.execute("delete from subjects where reference_hash = $1", bent)
    assert (await shop.rotate()).current_epoch == 3
    await vaults.read(shop.pool, shop.ring, sealed)


async def test_a_host_that_has_not_got_the_new_epoch_waits_for_it(shop: Shop, tmp_path: Path) -> None:
    other = tmp_path / "other host"
    shutil.copytree(shop.folder, other)
    ring = keyring.load(other)
    sealed = await vaults.put(shop.pool, shop.ring, PEOPLE[:3])
    await shop.rotate()
    with pytest.raises(KeyNotHere):
        await vaults.put(shop.pool, ring, ["late"])
    with pytest.raises(KeyNotHere):
        await vaults.read(shop.pool, ring, sealed)
    shutil.copy(shop.folder / "epochs/2.key", other / "epochs/2.key")
    sealed |= await vaults.put(shop.pool, ring, ["late"])
    await vaults.read(shop.pool, ring, sealed)


async def test_a_worker_lets_go_of_a_destroyed_epoch_on_every_host(shop: Shop, tmp_path: Path) -> None:
    other = tmp_path / "other host"
    shutil.copytree(shop.folder, other)
    ring = keyring.load(other)
    await shop.rotate()
    shutil.copy(shop.folder / "epochs/2.key", other / "epochs/2.key")
    settings = shop.engine.settings.model_copy(update={"keyring_dir": other})
    await KeyringWatch(shop.pool, ring, settings, Exit()).look()
    assert ring.current_epoch == 2
    assert ring.epochs == {2}
    assert sorted(path.name for path in (other / "epochs").iterdir()) == ["2.key"]


async def test_a_database_that_wraps_under_a_destroyed_epoch_is_an_old_one(shop: Shop) -> None:
    await shop.rotate()
    await shop.pool.execute("delete from key_epochs where epoch = 2")
    with pytest.raises(DatabaseRestored, match="lethe restore"):
        await epochs.adopt(shop.pool, keyring.load(shop.folder), shop.folder)


async def test_an_epoch_that_was_made_and_not_used_is_used_next(shop: Shop) -> None:
    key_files.create_epoch(shop.folder, 2)
    key = (shop.folder / "epochs/2.key").read_text()
    assert (await shop.rotate()).current_epoch == 2
    assert (shop.folder / "epochs/2.key").read_text() == key


async def test_a_new_database_takes_over_the_epoch_of_its_keyring(database: str, tmp_path: Path) -> None:
    from workers.db import migrate

    folder = tmp_path / "ring"
    keyring.create(folder)
    key_files.create_epoch(folder, 4)
    key_files.destroy(folder, 1)
    connection = await asyncpg.connect(database)
    try:
        await migrate.apply(connection)
        await migrate.record_keyring(connection, keyring.load(folder))
        await migrate.record_keyring(connection, keyring.load(folder))
        assert (await epochs.listed(connection))[-1].number == 4
    finally:
        await connection.close()
