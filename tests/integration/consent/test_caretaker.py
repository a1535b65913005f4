"""What time does to consent: renewals are asked for, what is due expires, what nobody confirmed is forgotten."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tests.support.consents import ERIKA, ConsentWorld, change, consent_world
from tests.support.orders import NOW
from workers.consent.caretaker import ConsentCaretaker
from workers.domain.consent import Kind
from workers.engine.exit import Exit
from workers.metrics import Metrics

YEARS = timedelta(days=3 * 365)


@pytest.fixture
async def world(database: str, tmp_path: Path) -> AsyncIterator[ConsentWorld]:
    async with consent_world(database, tmp_path) as made:
        yield made


async def care(world: ConsentWorld, now: datetime) -> Metrics:
    metrics = Metrics(CollectorRegistry())
    caretaker = ConsentCaretaker(world.desk, world.pool, world.settings, metrics, lambda: now, Exit())
    await caretaker.run()
    return metrics


async def test_a_renewal_is_asked_for_once_two_months_before_and_the_link_renews(world: ConsentWorld) -> None:
    await world.subscribe()
    early, due = NOW + YEARS - timedelta(days=61), NOW + YEARS - timedelta(days=59)
    await care(world, early)
    assert len(world.ledger.posted) == 1
    await care(world, due)
    await care(world, due + timedelta(days=1))
    assert world.ledger.templates()[1:] == ["renew_consent"]
    late = NOW + YEARS - timedelta(days=1)
    assert await world.confirm(world.ledger.posted[-1].token, late) is not None
    assert await world.status() == "RenewedConsentGiven"
    await care(world, NOW + YEARS + timedelta(days=1))
    assert await world.status() == "RenewedConsentGiven"


async def test_what_is_not_renewed_expires_and_the_old_link_is_dead(world: ConsentWorld) -> None:
    await world.subscribe()
    await care(world, NOW + YEARS - timedelta(days=59))
    await care(world, NOW + YEARS - timedelta(seconds=1))
    assert await world.status() == "ConsentGiven"
    await care(world, NOW + YEARS)
    assert await world.status() == "ConsentExpired"
    assert await world.confirm(world.ledger.posted[-1].token, NOW + YEARS) is None
    assert await world.suppressions() == {}, "they did not say no"


async def test_a_person_who_was_in_contact_is_not_asked_and_does_not_expire(world: ConsentWorld) -> None:
    contact_id = await world.subscribe()
    async with world.pool.acquire() as connection, connection.transaction():
        await world.desk.touch(connection, contact_id, NOW + timedelta(days=400))
    await care(world, NOW + YEARS)
    assert await world.status() == "ConsentGiven"
    assert len(world.ledger.posted) == 1


async def test_a_yes_to_another_purpose_is_a_sign_of_life(world: ConsentWorld) -> None:
    await world.subscribe()
    await world.subscribe(purpose="support", now=NOW + timedelta(days=400))
    await care(world, NOW + YEARS)
    assert await world.status() == "ConsentGiven"


async def test_many_expire_in_slices(world: ConsentWorld) -> None:
    people = [f"p{number}@example.com" for number in range(1100)]
    proven = [change(Kind.GIVEN, email, double_opt_in=True) for email in people]
    await world.apply(*proven)
    await care(world, NOW + YEARS)
    assert await world.pool.fetch("select status, count(*) from consents group by status") == [("ConsentExpired", 1100)]


async def test_a_request_that_nobody_confirmed_is_forgotten_with_its_address(world: ConsentWorld) -> None:
    await world.apply(change(Kind.GIVEN))
    await care(world, NOW + timedelta(hours=47))
    assert await world.count("contacts") == 1
    await care(world, NOW + timedelta(hours=49))
    for table in ("contacts", "consents", "consent_events", "tokens"):
        assert await world.count(table) == 0, table


async def test_a_request_is_kept_where_there_was_a_consent_before(world: ConsentWorld) -> None:
    await world.subscribe()
    await world.apply(change(Kind.WITHDRAWN))
    again = NOW + timedelta(days=1)
    await world.apply(change(Kind.GIVEN, event_time=again), now=again)
    await care(world, again + timedelta(days=5))
    assert await world.count("consent_events") == 4
    assert await world.status() == "ConsentRequested"


async def test_a_request_is_forgotten_beside_another_purpose_s_consent(world: ConsentWorld) -> None:
    await world.subscribe()
    await world.apply(change(Kind.GIVEN, purpose="support"))
    await care(world, NOW + timedelta(hours=49))
    assert (await world.status(), await world.status(purpose="support")) == ("ConsentGiven", None)


async def test_tokens_and_floods_do_not_stay(world: ConsentWorld) -> None:
    await world.subscribe()
    await care(world, NOW + timedelta(days=40))
    assert (await world.count("tokens"), await world.count("floods")) == (0, 0)


async def test_records_and_suppressions_are_counted(world: ConsentWorld) -> None:
    await world.subscribe()
    await world.subscribe("otto@example.com")
    await world.apply(change(Kind.COMPLAINT, ERIKA))
    registry = (await care(world, NOW)).registry
    labels = {"purpose": "newsletter", "status": "ConsentGiven"}
    assert registry.get_sample_value("lethe_consents", labels) == 1
    assert registry.get_sample_value("lethe_suppressions", {"purpose": "*", "reason": "complaint"}) == 1
