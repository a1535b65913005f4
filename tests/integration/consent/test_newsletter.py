"""The newsletter agent's batch transaction on a real PostgreSQL: events of an upstream become the list."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.consents import ERIKA, ConsentWorld, consent_world, event, given
from tests.support.engine import Engine
from tests.support.orders import NOW
from workers import newsletter

DOUBLE_OPT_IN = {"confirmed_at": NOW.isoformat(), "evidence": {"reference": "optin/1"}}


class Shop(NamedTuple):
    """A worker's engine, and the world that it works on."""

    engine: Engine
    world: ConsentWorld


@pytest.fixture
async def shop(database: str, tmp_path: Path) -> AsyncIterator[Shop]:
    async with consent_world(database, tmp_path, retry_initial_s=0.01, retry_max_s=0.05) as world:
        unit = lambda: newsletter.NewsletterUnit(world.desk, lambda: NOW)  # noqa: E731  (a factory, as wiring has it)
        yield Shop(Engine(world.pool, world.ring, world.settings, unit, newsletter.NAME, newsletter.TOPIC), world)


async def test_a_sign_up_at_the_shop_asks_by_mail(shop: Shop) -> None:
    assert await shop.engine.apply(given()) == []
    assert await shop.world.status() == "ConsentRequested"
    assert shop.world.ledger.templates() == ["confirm_subscription"]


async def test_the_shop_s_own_double_opt_in_is_enough(shop: Shop) -> None:
    await shop.engine.apply(given(double_opt_in=DOUBLE_OPT_IN))
    assert await shop.world.status() == "ConsentGiven"
    assert shop.world.ledger.posted == []


async def test_an_event_published_twice_is_applied_once(shop: Shop) -> None:
    once = given(event_id="e1")
    await shop.engine.apply(once, once)
    await shop.engine.apply(once)
    await shop.engine.apply(once, partition=1)
    assert await shop.world.count("consent_events") == 1
    assert len(shop.world.ledger.posted) == 1


async def test_a_withdrawal_ends_it_with_a_suppression(shop: Shop) -> None:
    later = (NOW + timedelta(seconds=1)).isoformat()
    await shop.engine.apply(given(double_opt_in=DOUBLE_OPT_IN), event("consent.withdrawn"))
    assert await shop.world.status() == "ConsentWithdrawn"
    assert await shop.world.suppressions() == {"newsletter": "withdrawn"}
    await shop.engine.apply(given(double_opt_in={**DOUBLE_OPT_IN, "confirmed_at": later}))
    assert await shop.world.status() == "ConsentWithdrawn", "given in the same second as it was withdrawn"


@pytest.mark.parametrize("erasure", ["fenced_at", "not_before"])
async def test_a_no_is_heard_though_who_said_it_is_erased_and_the_mailbox_is_another_customer_s(
    shop: Shop, erasure: str
) -> None:
    await shop.engine.apply(given("c2", double_opt_in=DOUBLE_OPT_IN), given("c3"))
    await shop.world.pool.execute(
        f"update subjects set {erasure} = $2 where reference_hash = $1::text::uuid",
        shop.world.vault.reference_hash("c3").hex(), NOW,
    )  # fmt: skip
    await shop.engine.apply(event("consent.withdrawn", "c3"), given("c3", double_opt_in=DOUBLE_OPT_IN))
    assert await shop.world.status() == "ConsentWithdrawn"
    assert await shop.world.suppressions() == {"newsletter": "withdrawn"}
    assert [state for _, state, _, _ in await shop.engine.letters()] == ["parked"], "a yes is not"


async def test_a_confirmation_from_the_shop_needs_a_request(shop: Shop) -> None:
    await shop.engine.apply(event("consent.confirmed", evidence={}))
    assert [letter[:2] for letter in await shop.engine.letters()] == [("consent_state", "parked")]
    await shop.engine.apply(given(), event("consent.confirmed", evidence={"reference": "mail 12"}))
    assert await shop.world.status() == "ConsentGiven"


async def test_what_cannot_be_applied_is_parked_and_the_rest_goes_on(shop: Shop) -> None:
    await shop.engine.apply(
        given(email="a..b@example.com"),
        given(purpose="astrology"),
        given(language="EN"),
        event("order.ready", order_id="o1"),
        given("c2", "good@example.com"),
    )
    assert [letter[0] for letter in await shop.engine.letters()] == [
        "email_invalid",
        "unknown_purpose",
        "invalid_field",
        "type_unknown",
    ]
    assert await shop.world.status("good@example.com") == "ConsentRequested"


async def test_the_address_stays_with_the_person_it_was_first_of(shop: Shop) -> None:
    await shop.engine.apply(given("c1"))
    await shop.engine.apply(given("c2", ERIKA, "support"))
    subjects = await shop.engine.rows("select distinct subject_id from contacts")
    assert len(subjects) == 1
    assert await shop.world.count("consents") == 2


async def test_a_person_s_own_sign_up_keeps_its_subject_and_learns_the_customer_reference(shop: Shop) -> None:
    await shop.world.subscribe()
    later = NOW + timedelta(seconds=1)
    await shop.engine.apply(given("c1", time=later))
    assert await shop.engine.rows("select reference_hash is not null from contacts") == [(True,)]


async def test_batches_of_any_size_come_to_the_same(shop: Shop) -> None:
    log = [
        given("c1", "a@example.com"),
        event("consent.withdrawn", "c1", "a@example.com"),
        given("c2", "b@example.com", double_opt_in=DOUBLE_OPT_IN),
        event("consent.withdrawn", "c3", "c@example.com", "*"),
    ]
    await shop.engine.apply(*log)
    again = [given(f"x{n}", f"{n}@example.com", double_opt_in=DOUBLE_OPT_IN) for n in range(3)]
    for one in again:
        await shop.engine.apply(one)
    assert await shop.world.status("a@example.com") == "ConsentWithdrawn"
    assert await shop.world.status("b@example.com") == "ConsentGiven"
    assert await shop.world.suppressions("c@example.com") == {"*": "withdrawn"}
    assert await shop.engine.rows("select count(*) from consents where status = 'ConsentGiven'") == [(4,)]


async def test_no_address_is_in_a_dead_letter_in_the_clear(shop: Shop) -> None:
    await shop.engine.apply(given(email="planted@example.com", purpose="astrology"))
    for row in await shop.world.pool.fetch("select * from dead_letters"):
        assert "planted" not in str({k: v for k, v in row.items() if k != "sealed"})
        assert b"planted" not in row["sealed"]
