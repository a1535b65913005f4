"""What a committed batch owes is kept sealed, in commit order, and never opened for a fenced or shredded person."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from tests.support.engine import Engine, engine
from tests.support.orders import NOW, placed
from workers.engine import outbox, relay
from workers.engine.outbox import Message
from workers.vault.sealing import Unreadable
from workers.vault.subjects import Subject

LANE = "lethe.test/orders/0"


@pytest.fixture
async def shop(database: str, tmp_path: Path) -> AsyncIterator[Engine]:
    async with engine(database, tmp_path) as made:
        yield made


async def people(shop: Engine, *references: str) -> list[Subject]:
    hashes = [shop.vault.reference_hash(reference) for reference in references]
    async with shop.pool.acquire() as connection, connection.transaction():
        held = await shop.vault.hold(connection, hashes)
    return [held[one] for one in hashes]


def message(subject: Subject | None, number: int, value: bytes | None = b'{"name":"Erika"}') -> Message:
    reason = "cancelled" if value is None else None
    return Message(subject, "carrier.gls.addresses", f"o{number}", "address.assigned", f"o{number}.1", value, reason)


async def add(shop: Engine, position: int, *messages: Message, lane: str = LANE) -> None:
    async with shop.pool.acquire() as connection, connection.transaction():
        await outbox.add(connection, lane, position, position + 10, NOW, messages)


async def read(shop: Engine, position: int = 0, end: int = 1000, lane: str = LANE) -> list[outbox.Stored]:
    async with shop.pool.acquire() as connection, connection.transaction():
        return await outbox.read(connection, shop.vault, lane, position, end)


async def test_what_was_added_is_read_as_it_would_have_been_published_from_memory(shop: Engine) -> None:
    ada, erik = await people(shop, "c1", "c2")
    messages = [message(ada, 1), message(None, 2, b"{}"), message(erik, 3, None), message(ada, 4, b"\x00\xff")]
    await add(shop, 0, *messages)
    (stored,) = await read(shop)
    assert (stored.position, stored.next_position) == (0, 10)
    assert stored.publications == outbox.publications(messages, NOW)


async def test_nothing_of_it_is_readable_in_the_table(shop: Engine) -> None:
    (ada,) = await people(shop, "c1")
    await add(shop, 0, message(ada, 1))
    ((records,),) = await shop.rows("select records from outbox")
    assert b"Erika" not in records
    assert b"o1" in records, "positive control: the shipment's number is there"


async def test_only_this_lane_s_rows_between_the_positions_are_read(shop: Engine) -> None:
    (ada,) = await people(shop, "c1")
    for position in (0, 10, 20, 30):
        await add(shop, position, message(ada, position))
    await add(shop, 10, message(ada, 99), lane="other")
    assert [row.position for row in await read(shop, 10, 30)] == [10, 20]


async def test_deleting_what_was_published_leaves_the_rest(shop: Engine) -> None:
    (ada,) = await people(shop, "c1")
    for position in (0, 10, 20):
        await add(shop, position, message(ada, position))
    await add(shop, 0, message(ada, 99), lane="other")
    await outbox.delete_before(shop.pool, LANE, 20)
    assert await shop.rows("select lane, position from outbox order by 1, 2") == [(LANE, 20), ("other", 0)]


async def test_a_fenced_person_s_records_are_left_out_and_the_others_are_not(shop: Engine) -> None:
    ada, erik = await people(shop, "c1", "c2")
    await add(shop, 0, message(ada, 1), message(erik, 2), message(None, 3, b"{}"))
    await shop.pool.execute("update subjects set fenced_at = now() where subject_id = $1", ada.subject_id)
    (stored,) = await read(shop)
    assert [one.key for one in stored.publications] == [b"o2", b"o3"]
    assert stored.next_position == 10, "the row counts as published all the same"


async def test_a_withdrawal_goes_out_even_where_the_person_is_fenced(shop: Engine) -> None:
    """The order was cancelled, the worker died, the person asked to be erased: the carrier knows the address still."""
    (ada,) = await people(shop, "c1")
    await add(shop, 0, message(ada, 1), message(ada, 2, None))
    await shop.pool.execute("update subjects set fenced_at = now()")
    (stored,) = await read(shop)
    assert [(one.key, one.value) for one in stored.publications] == [(b"o2", None)]


async def test_a_shredded_person_s_records_cannot_be_opened_by_anyone(shop: Engine) -> None:
    ada, erik = await people(shop, "c1", "c2")
    await add(shop, 0, message(ada, 1), message(erik, 2))
    await shop.pool.execute("delete from subjects where subject_id = $1", ada.subject_id)
    (stored,) = await read(shop)
    assert [one.key for one in stored.publications] == [b"o2"]


@pytest.mark.parametrize(
    "gone", ["update subjects set fenced_at = now()", "delete from subjects"], ids=["fenced", "shredded"]
)
async def test_what_was_to_be_taken_back_from_a_carrier_is_taken_back_all_the_same(shop: Engine, gone: str) -> None:
    (ada,) = await people(shop, "c1")
    await add(shop, 0, message(ada, 1), message(ada, 2, None), message(ada, 3))
    await shop.pool.execute(gone)
    (stored,) = await read(shop)
    assert [(one.key, one.value) for one in stored.publications] == [(b"o2", None)]


async def test_a_row_given_to_another_person_does_not_open(shop: Engine) -> None:
    ada, erik = await people(shop, "c1", "c2")
    await add(shop, 0, message(ada, 1))
    await shop.pool.execute("update outbox set subject_ids = array[$1::bigint]", erik.subject_id)
    with pytest.raises(Unreadable):
        await read(shop)


async def test_a_fence_waits_until_what_was_read_is_published(shop: Engine) -> None:
    (ada,) = await people(shop, "c1")
    await add(shop, 0, message(ada, 1))
    async with shop.pool.acquire() as connection, connection.transaction():
        await outbox.read(connection, shop.vault, LANE, 0, 10)
        fence = asyncio.create_task(shop.pool.execute("update subjects set fenced_at = now()"))
        await asyncio.sleep(0.2)
        assert not fence.done()
    await fence
    assert (await read(shop))[0].publications == []


async def test_relay_positions_follow_the_commits_without_a_gap(shop: Engine) -> None:
    """Many writers at once, some of which roll back: whoever reads by position passes nothing that comes later."""
    (ada,) = await people(shop, "c1")
    lane = relay.shard_lane(shop.settings, 0)
    seen: list[int] = []

    async def write(number: int) -> None:
        try:
            async with shop.pool.acquire() as connection, connection.transaction():
                await asyncio.sleep(number % 3 / 1000)
                await relay.add(connection, shop.settings, 0, NOW, [message(ada, number)])
                await asyncio.sleep(number % 5 / 1000)
                if number % 4 == 0:
                    raise asyncpg.SerializationError
        except asyncpg.SerializationError:
            pass

    async def watch() -> None:
        while len(seen) < 30:
            rows = await shop.rows("select position from outbox where lane = $1 order by position", lane)
            positions = [position for (position,) in rows]
            assert positions == list(range(len(positions))), "no gap is ever visible"
            seen[:] = positions

    await asyncio.gather(watch(), *(write(number) for number in range(40)))
    assert seen == list(range(30))
    assert (await shop.rows("select next_position from relay_shards")) == [(30,)]


async def test_nothing_to_say_takes_no_relay_position(shop: Engine) -> None:
    async with shop.pool.acquire() as connection:
        await relay.add(connection, shop.settings, 0, NOW, [])
    assert await shop.rows("select * from relay_shards") == []


async def test_a_batch_s_row_holds_all_that_it_owes(shop: Engine) -> None:
    await shop.apply(placed("o1"), placed("o2", carrier="nobody"), placed("o3"))
    lane = f"{shop.group}/{shop.topic}/0"
    (stored,) = await read(shop, lane=lane)
    assert [one.topic for one in stored.publications] == [
        "carrier.gls.addresses",
        "carrier.gls.addresses",
        "shipping.dead-letters",
    ]
