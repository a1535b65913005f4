"""Dead letters wait for a person, for a time; whoever is shown one stands in the ledger."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import Engine, engine
from tests.support.orders import NOW, event, placed
from workers.engine import dead_letters
from workers.engine.dead_letters import DeadLetter
from workers.engine.exit import Exit
from workers.engine.housekeeping import Housekeeper
from workers.errors import LetheError
from workers.vault.sealing import Unreadable

DAY_S = 86400


@pytest.fixture
async def shop(database: str, tmp_path: Path) -> AsyncIterator[Engine]:
    async with engine(database, tmp_path, dead_letter_max_age_s=30 * DAY_S) as made:
        yield made


async def only_letter(shop: Engine) -> DeadLetter:
    async with shop.pool.acquire() as connection:
        (letter,) = await dead_letters.find_all(connection, None, None, None, 10)
    return letter


async def tidy(shop: Engine, days: float, group: str = "") -> None:
    """Housekeeping so many days after everything was parked."""
    now = NOW + timedelta(days=days)
    await Housekeeper(group or shop.group, shop.pool, shop.settings, shop.metrics, lambda: now, Exit()).tidy()


async def ledger(shop: Engine) -> list[tuple[Any, ...]]:
    return await shop.rows(
        "select dead_letter_id, reference_hash, recipient, ground, disclosed_at from staff_disclosures"
    )


async def test_a_letter_expires_when_its_time_is_over_and_not_before(shop: Engine) -> None:
    await shop.apply(event("order.ready", "o1"))
    assert (await only_letter(shop)).expires_at(30 * DAY_S) == NOW + timedelta(days=30)
    await tidy(shop, 29.9)
    assert await shop.letters() == [("order_unknown", "parked", 1, True)]
    await tidy(shop, 30.1)
    assert await shop.letters() == [("order_unknown", "expired", 1, False)], "the reason stays, the copy does not"
    assert await shop.rows("select wrapped_key, key_epoch from dead_letters") == [(None, None)]
    letter = await only_letter(shop)
    assert letter.expires_at(30 * DAY_S) is None
    assert letter.changed_at == NOW + timedelta(days=30.1)


async def test_expired_letters_are_counted_and_no_longer_wait(shop: Engine) -> None:
    await shop.apply(*(event("order.ready", f"o{number}") for number in range(3)), placed("o9", carrier="pigeon"))
    await tidy(shop, 1)
    gauge, counter = shop.metrics.dead_letters, shop.metrics.dead_letters_expired
    assert gauge.labels(shop.group, "order_unknown")._value.get() == 3
    await tidy(shop, 31)
    assert counter.labels(shop.group, "order_unknown")._value.get() == 3
    assert counter.labels(shop.group, "unknown_carrier")._value.get() == 1
    await tidy(shop, 32)
    assert counter.labels(shop.group, "order_unknown")._value.get() == 3
    assert not next(iter(gauge.collect())).samples


async def test_letters_of_other_groups_and_those_dealt_with_are_left_alone(shop: Engine) -> None:
    await shop.apply(event("order.ready", "o1"))
    await tidy(shop, 31, group="another")
    assert await shop.letters() == [("order_unknown", "parked", 1, True)]
    async with shop.pool.acquire() as connection:
        await dead_letters.request_replay(connection, [(await only_letter(shop)).dead_letter_id], NOW)
    await tidy(shop, 31)
    assert await shop.letters() == [("order_unknown", "replaying", 1, True)], "a worker is about to apply it"


async def test_an_expired_event_that_is_published_again_is_parked_again(shop: Engine) -> None:
    one = event("order.ready", "o1")
    await shop.apply(one)
    await tidy(shop, 31)
    assert [told.event_type for told in await shop.apply(one)] == ["dead_letter.parked"]
    assert await shop.letters() == [("order_unknown", "parked", 1, True)]
    async with shop.pool.acquire() as connection:
        record = await dead_letters.disclose_body(
            connection, shop.ring, await only_letter(shop), "ada", "technical-error", NOW
        )
    assert record.value == one.value


async def test_what_is_shown_stands_in_the_ledger(shop: Engine) -> None:
    one = event("order.ready", "o1")
    await shop.apply(one)
    letter = await only_letter(shop)
    async with shop.pool.acquire() as connection:
        await dead_letters.disclose_body(connection, shop.ring, letter, "ada@desk", "fraud", NOW)
    ((reference_hash,),) = await shop.rows("select reference_hash from dead_letters")
    assert await ledger(shop) == [(letter.dead_letter_id, reference_hash, "ada@desk", "fraud", NOW)]
    assert reference_hash is not None, "the person can be told"


async def test_each_look_is_a_row(shop: Engine) -> None:
    await shop.apply(event("order.ready", "o1"))
    letter = await only_letter(shop)
    async with shop.pool.acquire() as connection:
        for _ in range(2):
            await dead_letters.disclose_body(connection, shop.ring, letter, "ada", "technical-error", NOW)
    assert len(await ledger(shop)) == 2


async def test_what_is_not_shown_does_not(shop: Engine) -> None:
    await shop.apply(event("order.ready", "o1"))
    letter = await only_letter(shop)
    await shop.pool.execute("update dead_letters set sealed = set_byte(sealed, 20, 255 - get_byte(sealed, 20))")
    async with shop.pool.acquire() as connection:
        with pytest.raises(Unreadable):
            await dead_letters.disclose_body(connection, shop.ring, letter, "ada", "technical-error", NOW)
        await dead_letters.drop(connection, [letter.dead_letter_id], NOW)
        with pytest.raises(LetheError, match="no copy"):
            await dead_letters.disclose_body(connection, shop.ring, letter, "ada", "technical-error", NOW)
    assert await ledger(shop) == []
