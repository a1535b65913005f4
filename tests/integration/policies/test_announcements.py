"""A material change is announced to everybody whom it concerns, once, on a real PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.consents import ConsentWorld, change, consent_world, given
from tests.support.engine import Engine
from tests.support.orders import NOW, SHIP_TO, Published, event, placed
from workers import announcements, newsletter
from workers.announcer import Announcer
from workers.domain.consent import Kind
from workers.engine.exit import Exit
from workers.mail import desk, templates

TODAY = datetime.now(UTC)
LATER = TODAY + timedelta(days=1)
EFFECTIVE = TODAY.date() + timedelta(days=30)
SUMMARIES = [{"language": "en", "text": "A second agency."}, {"language": "fr", "text": "Un deuxième transporteur."}]
OPT_IN = {"double_opt_in": {"confirmed_at": NOW.isoformat(), "evidence": {"reference": "1"}}}


def published(version: str = "2027-01", key: str | None = None, **changed: Any) -> Published:
    """`policy.published`, with an id that names its content."""
    data = {"version": version, "effective": EFFECTIVE.isoformat(), "material": True, "summaries": SUMMARIES, **changed}
    made = event("policy.published", event_id=json.dumps(data)[:200], key=(key or version).encode())
    return made._replace(value=json.dumps(data).encode())


class Shop(NamedTuple):
    """What an upstream publishes goes in; the announcer runs at a chosen time."""

    world: ConsentWorld
    policies: Engine
    consents: Engine
    orders: Engine

    def announcer(self, now: datetime = LATER) -> Announcer:
        """One announcer at this time."""
        world = self.world
        return Announcer(
            world.pool, world.vault, world.ring, world.desk, world.ledger, world.settings, lambda: now, Exit()
        )

    async def letters(self) -> list[desk.Letter]:
        """The announcements, opened, the oldest first."""
        rows = await self.world.pool.fetch("select * from mails where template = 'policy_announced' order by mail_id")
        async with self.world.pool.acquire() as connection, connection.transaction():
            subjects = await self.world.vault.hold_by_id(connection, {row["subject_id"] for row in rows})
        return [desk.open_letter(subjects[row["subject_id"]], row["mail_id"], row["sealed"]) for row in rows]

    async def told(self) -> list[str]:
        """The addresses that were written to, in order."""
        return sorted(letter.to for letter in await self.letters())

    async def state(self, version: str = "2027-01") -> str | None:
        """The version's state."""
        found: str | None = await self.world.pool.fetchval(
            "select state from policy_versions where version = $1", version
        )
        return found


@pytest.fixture
async def shop(database: str, tmp_path: Path) -> AsyncIterator[Shop]:
    async with consent_world(database, tmp_path, retry_initial_s=0.01, retry_max_s=0.05) as world:
        consent_unit = lambda: newsletter.NewsletterUnit(world.desk, lambda: NOW)  # noqa: E731
        engine = lambda *unit: Engine(world.pool, world.ring, world.settings, *unit)  # noqa: E731
        yield Shop(
            world,
            engine(announcements.AnnouncementsUnit, announcements.NAME, announcements.TOPIC),
            engine(consent_unit, newsletter.NAME, newsletter.TOPIC),
            engine(),
        )


async def test_those_whom_it_concerns_are_told_once_in_their_language(shop: Shop) -> None:
    await shop.world.subscribe("agreed@example.com")
    await shop.consents.apply(
        given("c1", "customer@example.com"),
        given("c2", "french@example.com", language="fr", **OPT_IN),
    )
    await shop.policies.apply(published())
    for _ in range(3):
        await shop.announcer().run()
    assert await shop.told() == ["agreed@example.com", "customer@example.com", "french@example.com"]
    by_address = {letter.to: letter.values for letter in await shop.letters()}
    assert by_address["agreed@example.com"] == {
        "version": "2027-01", "date": templates.day(EFFECTIVE, "en"), "summary": "A second agency.",
        "url": f"{shop.world.settings.public_url}/en/policy/2027-01",
    }  # fmt: skip
    assert by_address["french@example.com"]["summary"] == "Un deuxième transporteur."
    assert by_address["french@example.com"]["url"].endswith("/fr/policy/2027-01")
    assert await shop.state() == "announcing"


async def test_others_are_left_alone(shop: Shop) -> None:
    await shop.world.apply(change(Kind.GIVEN, "never-confirmed@example.com"))
    await shop.world.subscribe("left@example.com")
    await shop.world.apply(change(Kind.WITHDRAWN, "left@example.com"))
    await shop.world.subscribe("gone@example.com")
    await shop.world.apply(change(Kind.HARD_BOUNCE, "gone@example.com", "*"))
    await shop.world.subscribe("erased@example.com")
    await shop.world.pool.execute(
        "update subjects set fenced_at = now() from contacts where contacts.subject_id = subjects.subject_id "
        "and email_hash = $1::text::uuid", shop.world.ring.lookup_hash("email", b"erased@example.com").hex(),
    )  # fmt: skip
    await shop.policies.apply(published())
    await shop.announcer().run()
    assert await shop.told() == []


async def test_customers_are_told_by_the_address_of_their_order_once_whoever_else_they_are(shop: Shop) -> None:
    home = {**SHIP_TO, "email": "Buyer@Example.com"}
    french = {**SHIP_TO, "email": "acheteur@example.com", "country_code": "FR", "postal_code": "75011"}
    await shop.orders.apply(
        placed("o1", "c1", ship_to=home), placed("o2", "c1", ship_to=home), placed("o3", "c2", ship_to=french),
        placed("o4", "c3"), placed("o5", "c4", ship_to={**SHIP_TO, "email": "both@example.com"}),
        placed("o6", "c5", ship_to={**SHIP_TO, "email": "bounced@example.com"}),
    )  # fmt: skip
    await shop.world.subscribe("both@example.com")
    await shop.world.apply(change(Kind.HARD_BOUNCE, "bounced@example.com", "*"))
    await shop.policies.apply(published())
    await shop.announcer().run()
    assert await shop.told() == ["acheteur@example.com", "both@example.com", "buyer@example.com"]
    assert {letter.to: letter.values["summary"][:2] for letter in await shop.letters()}["acheteur@example.com"] == "Un"


async def test_who_comes_before_it_takes_effect_is_told_too_and_afterwards_nobody(shop: Shop) -> None:
    await shop.policies.apply(published())
    await shop.announcer().run()
    await shop.world.subscribe("new@example.com")
    await shop.announcer().run()
    assert await shop.told() == ["new@example.com"]
    on_the_day = datetime.combine(EFFECTIVE, datetime.min.time(), UTC) + timedelta(hours=12)
    await shop.announcer(on_the_day).run()
    assert await shop.state() == "announced"
    await shop.world.subscribe("newer@example.com")
    await shop.announcer(on_the_day).run()
    assert await shop.told() == ["new@example.com"]


async def test_whose_transaction_may_still_run_is_left_for_later(shop: Shop) -> None:
    """Numbers are not committed in their order: the younger one must not make the older one be passed over."""
    await shop.policies.apply(published())
    await shop.world.subscribe("second@example.com", now=TODAY)
    await shop.announcer(TODAY + timedelta(seconds=30)).run()
    assert await shop.told() == []
    await shop.announcer(TODAY + timedelta(minutes=3)).run()
    assert await shop.told() == ["second@example.com"]


async def test_two_announcers_tell_everybody_once(shop: Shop) -> None:
    for number in range(450):
        await shop.world.apply(change(Kind.IMPORTED, f"p{number}@example.com", double_opt_in=True))
    await shop.policies.apply(published())
    await asyncio.gather(*(shop.announcer().run() for _ in range(4)))
    await shop.announcer().run()
    assert await shop.told() == sorted(f"p{number}@example.com" for number in range(450))
    assert await shop.world.pool.fetchval("select mails from policy_versions") == 450


async def test_an_announcement_is_never_marketing(shop: Shop) -> None:
    await shop.world.subscribe("agreed@example.com")
    await shop.policies.apply(published())
    await shop.announcer().run()
    (row,) = await shop.world.pool.fetch("select class, purpose from mails where template = 'policy_announced'")
    assert tuple(row) == ("statutory", None)


async def test_what_is_not_material_is_written_down_only(shop: Shop) -> None:
    await shop.world.subscribe("agreed@example.com")
    await shop.policies.apply(published(material=False))
    await shop.announcer().run()
    assert (await shop.told(), await shop.state()) == ([], "recorded")


async def test_a_version_that_was_published_does_not_change(shop: Shop) -> None:
    await shop.policies.apply(published(), published(effective=date(2027, 3, 1).isoformat()))
    await shop.policies.apply(published(), published(summaries=SUMMARIES[:1]))
    assert [letter[:2] for letter in await shop.policies.letters()] == [("policy_conflict", "parked")] * 2
    assert await shop.world.count("policy_versions") == 1


async def test_a_version_under_another_key_is_refused(shop: Shop) -> None:
    await shop.policies.apply(published(key="2026-09"))
    assert [letter[:2] for letter in await shop.policies.letters()] == [("key_invalid", "parked")]


async def test_no_address_is_in_the_clear(shop: Shop) -> None:
    await shop.world.subscribe("planted@example.com")
    await shop.policies.apply(published())
    await shop.announcer().run()
    for row in await shop.world.pool.fetch("select * from mails"):
        assert "planted" not in str(row)
