"""The consent desk on a real PostgreSQL: what is applied is in force from the commit on."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.consents import ERIKA, PURPOSES, ConsentWorld, change, consent_world
from tests.support.orders import NOW
from workers.consent.letters import TEMPLATES
from workers.domain.consent import Effect, Entity, Kind, Status
from workers.errors import RefusalCode
from workers.mail import templates


@pytest.fixture
async def world(database: str, tmp_path: Path) -> AsyncIterator[ConsentWorld]:
    async with consent_world(database, tmp_path) as made:
        yield made


async def test_a_sign_up_asks_and_the_link_confirms(world: ConsentWorld) -> None:
    (outcome,) = await world.apply(change(Kind.GIVEN))
    assert outcome[1:3] == (Status.REQUESTED, {Effect.ASK})
    assert world.ledger.templates() == ["confirm_subscription"]
    assert world.ledger.posted[0].to == ERIKA
    confirmed = await world.confirm(world.ledger.posted[0].token)
    assert confirmed is not None
    assert confirmed.status is Status.GIVEN
    assert await world.status() == "ConsentGiven"


async def test_a_link_is_used_once_and_only_before_it_expires(world: ConsentWorld) -> None:
    await world.apply(change(Kind.GIVEN))
    token = world.ledger.posted[0].token
    assert await world.confirm(token, NOW + timedelta(hours=49)) is None
    assert await world.status() == "ConsentRequested"
    assert await world.confirm("no-such-token") is None
    assert await world.confirm("x" * 10_000) is None
    assert await world.confirm(token) is not None
    assert await world.confirm(token) is None


async def test_a_link_used_twice_at_once_has_its_effect_once(world: ConsentWorld) -> None:
    await world.apply(change(Kind.GIVEN))
    token = world.ledger.posted[0].token
    outcomes = await asyncio.gather(*(world.confirm(token) for _ in range(4)))
    assert sum(outcome is not None for outcome in outcomes) == 1


async def test_looking_at_a_link_changes_nothing(world: ConsentWorld) -> None:
    await world.apply(change(Kind.GIVEN))
    token = world.ledger.posted[0].token
    async with world.pool.acquire() as connection:
        for _ in range(3):
            state = await world.desk.look_at_token(connection, "confirm", token, NOW)
            assert state is not None
            assert (state.purposes, state.is_open(NOW)) == (("newsletter",), True)
        assert await world.desk.look_at_token(connection, "preferences", token, NOW) is None


async def test_a_token_is_kept_as_a_hash_only(world: ConsentWorld) -> None:
    await world.apply(change(Kind.GIVEN))
    token = world.ledger.posted[0].token
    row = await world.pool.fetchrow("select * from tokens")
    assert row is not None
    assert token not in str(dict(row))


async def test_a_withdrawal_ends_the_consent_and_suppresses_in_one_transaction(world: ConsentWorld) -> None:
    contact_id = await world.subscribe()
    async with world.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await world.desk.apply(connection, [change(Kind.WITHDRAWN, None, contact_id=contact_id)], NOW)
        await transaction.rollback()
    assert (await world.status(), await world.suppressions()) == ("ConsentGiven", {})
    await world.apply(change(Kind.WITHDRAWN, None, contact_id=contact_id))
    assert (await world.status(), await world.suppressions()) == ("ConsentWithdrawn", {"newsletter": "withdrawn"})


async def test_a_withdrawal_waits_for_a_mail_that_is_being_sent(world: ConsentWorld) -> None:
    contact_id = await world.subscribe()
    async with world.pool.acquire() as sender:
        sending = sender.transaction()
        await sending.start()
        await sender.execute("select from consents where contact_id = $1 for share", contact_id)
        withdrawal = asyncio.create_task(world.apply(change(Kind.WITHDRAWN)))
        done, _ = await asyncio.wait({withdrawal}, timeout=0.3)
        assert not done, "it was committed while DATA was on its way"
        await sending.commit()
    await withdrawal
    assert await world.status() == "ConsentWithdrawn"


async def test_an_old_link_does_not_turn_a_no_into_a_yes(world: ConsentWorld) -> None:
    await world.apply(change(Kind.GIVEN))
    await world.apply(change(Kind.WITHDRAWN, event_time=NOW + timedelta(minutes=1)), now=NOW + timedelta(minutes=1))
    assert await world.confirm(world.ledger.posted[0].token, NOW + timedelta(minutes=2)) is None
    assert await world.status() == "ConsentWithdrawn"


async def test_a_yes_that_is_older_than_the_no_has_no_effect(world: ConsentWorld) -> None:
    await world.subscribe()
    await world.apply(change(Kind.WITHDRAWN))
    (late,) = await world.apply(change(Kind.GIVEN, event_time=NOW - timedelta(days=1)))
    assert late.status is Status.WITHDRAWN
    assert len(world.ledger.posted) == 1


async def test_the_person_may_come_back_by_confirming_again(world: ConsentWorld) -> None:
    await world.subscribe()
    await world.apply(change(Kind.COMPLAINT))
    assert await world.suppressions() == {"*": "complaint"}
    later = NOW + timedelta(days=1)
    await world.apply(change(Kind.GIVEN, event_time=later), now=later)
    assert await world.status() == "ConsentRequested"
    assert await world.suppressions() == {"*": "complaint"}, "until it is confirmed"
    await world.confirm(world.ledger.posted[-1].token, later)
    assert await world.status() == "ConsentGiven"
    assert await world.suppressions() == {"support": "complaint"}, "the other purpose stays as it was"


async def test_a_no_from_an_unknown_address_leaves_a_suppression_and_nothing_else(world: ConsentWorld) -> None:
    (outcome,) = await world.apply(change(Kind.WITHDRAWN, purpose="*"))
    assert outcome.contact_id is None
    assert await world.suppressions() == {"*": "withdrawn"}
    assert (await world.count("contacts"), await world.count("subjects")) == (0, 0)


async def test_a_yes_of_the_same_moment_sees_the_no_of_an_unknown_address(world: ConsentWorld) -> None:
    """Otherwise a valid consent and a suppression could stand side by side."""
    proven = change(Kind.GIVEN, double_opt_in=True, entity=Entity.UPSTREAM)
    async with world.pool.acquire() as connection:
        leaving = connection.transaction()
        await leaving.start()
        await world.desk.apply(connection, [change(Kind.WITHDRAWN)], NOW)
        joining = asyncio.create_task(world.apply(proven))
        await asyncio.wait({joining}, timeout=0.3)
        await leaving.commit()
    (outcome,) = await joining
    assert outcome.status is None
    assert await world.status() is None
    assert await world.count("contacts") == 0


async def test_one_person_has_one_contact_however_the_address_is_written(world: ConsentWorld) -> None:
    await world.apply(
        change(Kind.GIVEN, "Erika@Bücher.example"),
        change(Kind.GIVEN, " erika@xn--bcher-kva.EXAMPLE ", "support"),
    )
    assert await world.count("contacts") == 1
    assert await world.count("consents") == 2


async def test_sign_ups_of_one_new_address_at_once_are_one_contact(world: ConsentWorld) -> None:
    outcomes = await asyncio.gather(*(world.apply(change(Kind.GIVEN)) for _ in range(5)))
    assert len({outcome.contact_id for (outcome,) in outcomes}) == 1
    assert await world.count("contacts") == 1


async def test_an_address_is_asked_three_times_a_day_at_most(world: ConsentWorld) -> None:
    for minute in range(6):
        when = NOW + timedelta(minutes=minute)
        await world.apply(change(Kind.GIVEN, event_time=when), now=when)
    assert world.ledger.templates() == ["confirm_subscription"] * 3
    much_later = NOW + timedelta(days=3)
    await world.apply(change(Kind.GIVEN, event_time=much_later), now=much_later)
    assert len(world.ledger.posted) == 4


async def test_who_is_subscribed_is_told_so_and_stays_it(world: ConsentWorld) -> None:
    await world.subscribe()
    await world.apply(change(Kind.GIVEN))
    assert world.ledger.templates()[1:] == ["already_subscribed"]
    assert await world.status() == "ConsentGiven"


async def test_the_history_is_only_added_to_and_keeps_the_evidence_sealed(world: ConsentWorld) -> None:
    contact_id = await world.subscribe()
    secret = "192.0.2.77"
    await world.apply(change(Kind.WITHDRAWN, evidence={"source_address": secret}))
    async with world.pool.acquire() as connection, connection.transaction():
        contact = await world.desk.contact_by_id(connection, contact_id)
        assert contact is not None
        history = await world.desk.history(connection, contact)
    assert [(one.event_type, one.event_state) for one in history] == [
        ("consent.given", "ConsentRequested"),
        ("consent.confirmed", "ConsentGiven"),
        ("consent.withdrawn", "ConsentWithdrawn"),
    ]
    assert history[-1].evidence == {"source_address": secret}
    kept = await world.pool.fetch("select evidence from consent_events where evidence is not null")
    assert not any(secret.encode() in row["evidence"] for row in kept)


async def test_what_is_refused_changes_nothing_and_the_others_have_effect(world: ConsentWorld) -> None:
    outcomes = await world.apply(
        change(Kind.GIVEN, "no address"),
        change(Kind.GIVEN, "a@example.com", "astrology"),
        change(Kind.CONFIRMED, "b@example.com"),
        change(Kind.GIVEN),
    )
    assert [outcome.refusal.code if outcome.refusal else None for outcome in outcomes] == [
        RefusalCode.EMAIL_INVALID,
        RefusalCode.UNKNOWN_PURPOSE,
        RefusalCode.CONSENT_STATE,
        None,
    ]
    assert await world.count("contacts") == 1


async def test_a_fenced_person_is_not_opened_and_not_subscribed_but_may_leave(world: ConsentWorld) -> None:
    contact_id = await world.subscribe()
    await world.pool.execute("update subjects set fenced_at = $1", NOW)
    async with world.pool.acquire() as connection, connection.transaction():
        assert await world.desk.contact_by_id(connection, contact_id) is None
        assert await world.desk.contact_by_email(connection, ERIKA) is None
    (refused,) = await world.apply(change(Kind.GIVEN))
    assert refused.refusal is not None
    assert refused.refusal.code is RefusalCode.SUBJECT_FENCED
    await world.apply(change(Kind.WITHDRAWN, None, contact_id=contact_id))
    assert await world.status() == "ConsentWithdrawn"


async def test_nothing_of_an_address_stands_in_the_clear(world: ConsentWorld) -> None:
    await world.subscribe("planted.person@example.com")
    for table in ("contacts", "consents", "consent_events", "suppressions", "tokens", "floods"):
        for row in await world.pool.fetch(f"select * from {table}"):
            stored = json.dumps({key: bytes(v).hex() if isinstance(v, bytes) else str(v) for key, v in row.items()})
            assert "planted" not in stored
            assert b"planted".hex() not in stored


async def test_every_mail_that_consent_leads_to_can_be_rendered(world: ConsentWorld) -> None:
    await world.subscribe()
    await world.apply(change(Kind.GIVEN))
    await world.apply(change(Kind.RENEWAL_REQUESTED, entity=Entity.LETHE))
    assert set(world.ledger.templates()) == set(TEMPLATES.values())
    for posted in world.ledger.posted:
        for language in ("en", "fr"):
            content = templates.render(posted.template, language, {**posted.values, "shop": "Example Shop"})
            title = PURPOSES["newsletter"].title_in("en")
            assert title in " ".join(content.text.split())
            assert posted.values.get("url", "") in content.text
