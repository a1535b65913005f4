"""A dead letter that is applied again: once, by today's rules, in the order of the log; or parked again, and why."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.support.engine import Engine, Told, body, engine
from tests.support.orders import NOW, SHIP_TO, Published, event, placed
from workers.engine import dead_letters, outbox, relay
from workers.engine.admission import Admission
from workers.engine.exit import Exit
from workers.engine.replay import Replayer

WAITING = "order.ready"


class Desk:
    """Parks events, has them replayed, and reads what the replay owes to the relay."""

    def __init__(self, shop: Engine) -> None:
        self.shop = shop

    def replayer(self) -> Replayer:
        shop = self.shop
        return Replayer(
            shop.group, shop.pool, shop.ring, shop.admission, shop.transaction, shop.settings, lambda: NOW, Exit()
        )

    async def replay(self, *ids: UUID, published: bool = True) -> None:
        """Mark these letters (none named: all that are parked) and replay them; the lanes are empty by then."""
        if published:
            await self.shop.pool.execute("delete from outbox where lane like '%/orders/%'")
        async with self.shop.pool.acquire() as connection:
            found = await dead_letters.find_all(connection, None, "parked", None, 1000)
            wanted = ids or [letter.dead_letter_id for letter in found]
            await dead_letters.request_replay(connection, list(wanted), NOW)
        replayer = self.replayer()
        while await replayer._replay_next():
            pass

    async def letters(self) -> list[tuple[Any, ...]]:
        return await self.shop.rows(
            "select code, state, replay_count, sealed is not null from dead_letters order by record_offset"
        )

    async def owed(self) -> list[Told]:
        """What waits for the relay, in order."""
        lane = relay.shard_lane(self.shop.settings, 0)
        async with self.shop.pool.acquire() as connection, connection.transaction():
            rows = await outbox.read(connection, self.shop.vault, lane, 0, 1000)
        return [
            Told(
                self.shop._carrier(one.topic),
                dict(one.headers)["ce_type"].decode(),
                dict(one.headers)["ce_id"].decode(),
            )
            for row in rows
            for one in row.publications
        ]


@pytest.fixture
async def desk(database: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with engine(database, tmp_path) as shop:
        yield Desk(shop)


def ready(order: str) -> Published:
    """Refused while the order is not known."""
    return event(WAITING, order)


async def test_a_letter_whose_cause_is_mended_is_applied_once(desk: Desk) -> None:
    await desk.shop.apply(ready("o1"))
    await desk.shop.apply(placed("o1", wait_for_ready=True))
    assert await desk.letters() == [("order_unknown", "parked", 0, True)]
    await desk.replay()
    assert await desk.letters() == [("order_unknown", "replayed", 1, False)], "the sealed copy is let go"
    assert await desk.owed() == [Told("gls", "address.assigned", "o1.1")]
    await desk.replay()
    assert len(await desk.owed()) == 1


async def test_a_letter_that_is_refused_again_is_parked_again_with_today_s_reason(desk: Desk) -> None:
    await desk.shop.apply(ready("o1"))
    await desk.shop.apply(placed("o1"), event("order.delivered", "o1"))
    await desk.replay()
    ((code, state, replays, kept),) = await desk.letters()
    assert (state, replays, kept) == ("parked", 1, True)
    assert code != "order_unknown"
    assert await desk.owed() == []


async def test_letters_are_applied_in_the_order_of_the_log(desk: Desk) -> None:
    await desk.shop.apply(ready("o1"), event("order.cancelled", "o1", reason="shop"))
    await desk.shop.apply(placed("o1", wait_for_ready=True))
    letters = await desk.shop.rows("select dead_letter_id from dead_letters order by record_offset desc")
    await desk.replay(*(letter for (letter,) in letters))
    assert [one.event_type for one in await desk.owed()] == ["address.assigned", "address.withdrawn"]


async def test_the_carrier_gets_the_same_as_it_would_have_at_once(desk: Desk) -> None:
    await desk.shop.apply(event("order.address_changed", "o1", ship_to={**SHIP_TO, "city": "Neustadt"}))
    await desk.shop.apply(placed("o1"))
    await desk.replay()
    lane = relay.shard_lane(desk.shop.settings, 0)
    async with desk.shop.pool.acquire() as connection, connection.transaction():
        (row,) = await outbox.read(connection, desk.shop.vault, lane, 0, 10)
    (corrected,) = row.publications
    assert corrected.key == b"o1"
    assert body(corrected.value)["address"]["city"] == "Neustadt"


async def test_an_event_that_was_published_again_meanwhile_has_no_second_effect(desk: Desk) -> None:
    one = ready("o1")
    await desk.shop.apply(one)
    await desk.shop.apply(placed("o1", wait_for_ready=True), one)
    await desk.replay()
    assert await desk.letters() == [("order_unknown", "replayed", 1, False)]
    assert await desk.owed() == [], "the repetition had the effect already"


async def test_a_letter_about_a_person_who_is_being_erased_is_parked_without_a_body(desk: Desk) -> None:
    await desk.shop.apply(ready("o1"))
    await desk.shop.apply(placed("o1", wait_for_ready=True))
    await desk.shop.pool.execute("update subjects set fenced_at = now()")
    await desk.replay()
    assert await desk.letters() == [("subject_fenced", "parked", 1, False)]
    assert await desk.owed() == []


async def test_what_an_erased_person_does_next_queues_behind_what_they_did_while_they_were_fenced(desk: Desk) -> None:
    """Otherwise a move would find no order, and an older address would replace a newer one."""
    shop, later = desk.shop, NOW + timedelta(minutes=1)
    await shop.apply(placed("o1", "c1"))
    await shop.pool.execute("update subjects set fenced_at = $1", NOW)
    await shop.apply(placed("o2", "c1", time=later), placed("o3", "c1", time=later))
    await shop.pool.execute("insert into erased_references select reference_hash, $1 from subjects", NOW)
    await shop.pool.execute("delete from subjects")
    await shop.pool.execute("update dead_letters set state = 'replaying'")  # as the eraser does

    await shop.apply(event("order.cancelled", "o2", "c1", reason="shop", time=later), placed("o4", "c2"))
    assert await desk.letters() == [("subject_fenced", "replaying", 0, True)] * 3
    while await desk.replayer()._replay_next():
        pass
    assert await desk.letters() == [("subject_fenced", "replayed", 1, False)] * 3
    assert [told.event_id for told in await desk.owed()] == ["o2.1", "o3.1", "o2.2"]
    await shop.apply(event("order.cancelled", "o3", "c1", reason="shop", time=later))
    assert [told.event_id for told in await desk.owed()] == ["o2.1", "o3.1", "o2.2", "o3.2"], "at once again, in order"


async def test_a_letter_that_the_database_refuses_is_parked_again_and_the_next_is_applied(desk: Desk) -> None:
    await desk.shop.apply(ready("o1"), ready("o2"))
    await desk.shop.apply(placed("o1", wait_for_ready=True), placed("o2", wait_for_ready=True))
    await desk.shop.pool.execute("alter table shipments add check (shipment_id <> 'o1' or state = 'waiting')")
    await desk.replay()
    assert await desk.letters() == [("database_refused", "parked", 1, True), ("order_unknown", "replayed", 1, False)]
    assert await desk.owed() == [Told("gls", "address.assigned", "o2.1")]


async def test_a_letter_whose_copy_was_altered_is_parked_for_good(desk: Desk) -> None:
    await desk.shop.apply(ready("o1"))
    await desk.shop.pool.execute("update dead_letters set sealed = set_byte(sealed, 20, 255 - get_byte(sealed, 20))")
    await desk.replay()
    assert await desk.letters() == [("internal_error", "parked", 1, False)]


async def test_two_workers_that_replay_at_once_apply_each_letter_once(desk: Desk) -> None:
    orders = [f"o{number}" for number in range(12)]
    await desk.shop.apply(*map(ready, orders))
    await desk.shop.apply(*(placed(order, wait_for_ready=True) for order in orders))
    async with desk.shop.pool.acquire() as connection:
        found = await dead_letters.find_all(connection, None, "parked", None, 100)
        await dead_letters.request_replay(connection, [letter.dead_letter_id for letter in found], NOW)

    async def work(replayer: Replayer) -> None:
        while await replayer._replay_next():
            pass

    await asyncio.gather(work(desk.replayer()), work(desk.replayer()))
    assert sorted(await desk.owed()) == sorted(Told("gls", "address.assigned", f"{order}.1") for order in orders)


async def test_a_letter_is_checked_by_the_rules_of_the_day_it_is_replayed(desk: Desk) -> None:
    """The limit was too low when it was refused; the schema and the limits in force at the replay count."""
    shop = desk.shop
    strict = Admission(shop.group, "orders", shop.ring, shop.settings.model_copy(update={"body_max_bytes": 100}))
    lenient, shop.admission = shop.admission, strict
    await shop.apply(placed("o1"))
    assert [code for code, *_ in await desk.letters()] == ["body_too_large"]
    await desk.replay()
    assert await desk.letters() == [("body_too_large", "parked", 1, True)]
    shop.admission = lenient
    await desk.replay()
    assert [state for _, state, *_ in await desk.letters()] == ["replayed"]
    assert await desk.owed() == [Told("gls", "address.assigned", "o1.1")]


async def test_what_is_applied_after_a_replay_goes_out_behind_it(desk: Desk) -> None:
    """Otherwise a carrier would be told to forget an address first, and be given it afterwards."""
    await desk.shop.apply(ready("o1"))
    await desk.shop.apply(placed("o1", wait_for_ready=True))
    await desk.replay()
    told = await desk.shop.apply(event("order.cancelled", "o1", reason="shop"), placed("o2", customer="c2"))
    assert told == [Told("gls", "address.assigned", "o2.1")], "who has nothing in the relay goes the short way"
    assert [one.event_id for one in await desk.owed()] == ["o1.1", "o1.2"]


async def test_a_replay_waits_until_what_was_applied_before_it_is_published(desk: Desk) -> None:
    changed = event("order.address_changed", "o1", ship_to={**SHIP_TO, "city": "Neustadt"})
    await desk.shop.apply(changed)
    await desk.shop.apply(placed("o1"))
    await desk.replay(published=False)
    assert await desk.letters() == [("order_unknown", "replaying", 0, True)]
    assert await desk.owed() == []
    await desk.replay()
    assert [one.event_id for one in await desk.owed()] == ["o1.2"]
