"""Random sequences of sign-ups, links, imports, nos, erasures and redeliveries against a small model.

The model knows what people said, not how Lethe keeps it: for each address and purpose the last no that still stands,
and whether a yes that counts came after it.
"""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.consents import PURPOSES, ConsentWorld, change, consent_world, event
from tests.support.consents import given as given_event
from tests.support.engine import Engine
from tests.support.orders import NOW, Published
from workers import newsletter
from workers.domain.consent import VALID, ConsentChange, Entity, Kind

LONG_AGO = NOW - timedelta(days=90)
STEP = timedelta(days=1)
EMAILS = ("a", "b")
NOS = (Kind.WITHDRAWN, Kind.REFUSED, Kind.COMPLAINT, Kind.OBJECTION, Kind.HARD_BOUNCE)
_numbers = itertools.count(1)

# Mostly one person and one purpose: what happens to the same record matters, the others are there to be left alone.
person = st.sampled_from(["a", "a", "a", "b"])
purpose = st.sampled_from(["newsletter", "newsletter", "newsletter", "support"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("sign_up"), person, purpose),
        st.tuples(st.just("link"), st.integers(0, 5)),
        st.tuples(st.just("link"), st.integers(0, 5)),
        st.tuples(st.just("import"), person, purpose),
        st.tuples(st.just("no"), person, purpose, st.sampled_from(NOS)),
        st.tuples(st.just("no_to_all"), person),
        st.tuples(st.just("upstream_yes"), person, purpose, st.booleans(), st.booleans()),
        st.tuples(st.just("upstream_yes"), person, purpose, st.just(True), st.just(True)),
        st.tuples(st.just("upstream_no"), person, st.sampled_from([*PURPOSES, "*"])),
        st.tuples(st.just("redelivery"), st.integers(0, 5)),
        st.tuples(st.just("erasure"), person),
    ),
    min_size=5,
    max_size=20,
)


@dataclass
class Said:
    """What one address said about one purpose. `no_since`: since when a no stands."""

    valid: bool = False
    no_since: datetime | None = None
    strong: bool = False

    def no(self, at: datetime, strong: bool) -> None:
        self.valid, self.no_since, self.strong = False, at, self.strong or strong

    def yes(self) -> None:
        self.valid, self.no_since, self.strong = True, None, False


@dataclass
class Link:
    """A confirmation link in somebody's mailbox."""

    token: str
    email: str
    purpose: str
    open: bool = True


@dataclass
class Model:
    """What people said, and the links that they hold."""

    said: dict[tuple[str, str], Said] = field(
        default_factory=lambda: {(email, name): Said() for email in EMAILS for name in PURPOSES}
    )
    links: list[Link] = field(default_factory=list)
    bounced: dict[str, datetime] = field(default_factory=dict)

    def stands(self, email: str, name: str) -> datetime | None:
        """Since when a no stands against this purpose."""
        times = [one for one in (self.said[email, name].no_since, self.bounced.get(email)) if one]
        return max(times, default=None)

    def close(self, email: str, names: Any) -> None:
        for link in self.links:
            if link.email == email and link.purpose in names:
                link.open = False

    def yes(self, email: str, name: str) -> None:
        """A yes that counts; it also shows that the mailbox answers."""
        self.said[email, name].yes()
        self.bounced.pop(email, None)


class Run:
    """One example: steps applied to Lethe and to the model, at a time that moves on."""

    def __init__(self, world: ConsentWorld, engine: Engine) -> None:
        self.world = world
        self.engine = engine
        self.model = Model()
        self.now = NOW
        self.published: list[Published] = []
        self.number = next(_numbers)

    def address(self, email: str) -> str:
        """Fresh people in every example: no table has to be emptied."""
        return f"{email}.{self.number}@example.com"

    async def step(self, name: str, *arguments: Any) -> None:
        self.now += STEP
        seen = len(self.world.ledger.posted)
        await getattr(self, name)(*arguments)
        for posted in self.world.ledger.posted[seen:]:
            if "url" in posted.values:
                owner = posted.to.partition(".")[0]
                title = posted.values["purpose"]
                asked = next(name for name, one in PURPOSES.items() if title in one.title.values())
                self.model.links.append(Link(posted.token, owner, asked))
        await self.compare(name)

    async def compare(self, name: str) -> None:
        for (email, about), said in self.model.said.items():
            address = self.address(email)
            status = await self.world.status(address, about)
            assert (status in VALID) == said.valid, f"{name}: {email} {about} is {status}, the model says {said}"
            async with self.world.pool.acquire() as connection:
                suppression = await self.world.desk.suppression(connection, address, about)
            if suppression is not None:
                assert self.model.stands(email, about) is not None, f"{name}: {email} {about} suppressed for no reason"
            if said.strong:
                assert suppression is not None, f"{name}: a complaint or objection of {email} was forgotten"

    async def apply(self, *changes: ConsentChange) -> bool:
        (outcome,) = await self.world.apply(*changes, now=self.now)
        return outcome.refusal is None

    async def sign_up(self, email: str, about: str) -> None:
        await self.apply(change(Kind.GIVEN, self.address(email), about, event_time=self.now))

    async def link(self, index: int) -> None:
        if not self.model.links:
            return
        link = self.model.links[index % len(self.model.links)]
        outcome = await self.world.confirm(link.token, self.now)
        used = outcome is not None
        assert used == link.open
        if used:
            self.model.yes(link.email, link.purpose)
        link.open = False

    async def _import(self, email: str, about: str) -> None:
        line = change(
            Kind.IMPORTED, self.address(email), about, entity=Entity.STAFF, double_opt_in=True, language="en",
            privacy_notice="2026-01", event_time=LONG_AGO,
        )  # fmt: skip
        accepted = await self.apply(line)
        assert accepted == (self.model.stands(email, about) is None), "an import against a no, or refused without one"
        if accepted:
            self.model.yes(email, about)

    async def no(self, email: str, about: str, kind: Kind) -> None:
        recorded = [name for name in PURPOSES if await self.world.status(self.address(email), name) is not None]
        await self.apply(change(kind, self.address(email), about, event_time=self.now))
        if kind is Kind.HARD_BOUNCE:
            covered = recorded
            self.model.bounced[email] = self.now
        else:
            covered = [about] if kind in (Kind.WITHDRAWN, Kind.REFUSED) else list(PURPOSES)
        for name in covered:
            self.model.said[email, name].no(self.now, kind in (Kind.COMPLAINT, Kind.OBJECTION))
        self.model.close(email, covered)

    async def no_to_all(self, email: str) -> None:
        await self.apply(change(Kind.WITHDRAWN, self.address(email), "*", event_time=self.now))
        for name in PURPOSES:
            self.model.said[email, name].no(self.now, False)
        self.model.close(email, PURPOSES)

    async def upstream_yes(self, email: str, about: str, proven: bool, late: bool) -> None:
        at = LONG_AGO if late else self.now
        proof = {"double_opt_in": {"confirmed_at": at.isoformat(), "evidence": {"reference": "1"}}} if proven else {}
        await self.publish(given_event(f"c.{email}.{self.number}", self.address(email), about, time=at, **proof))
        stands = self.model.stands(email, about)
        if (stands is None or at > stands) and proven and not self.model.said[email, about].strong:
            self.model.yes(email, about)

    async def upstream_no(self, email: str, about: str) -> None:
        await self.publish(
            event("consent.withdrawn", f"c.{email}.{self.number}", self.address(email), about, time=self.now)
        )
        covered = list(PURPOSES) if about == "*" else [about]
        for name in covered:
            self.model.said[email, name].no(self.now, False)
        self.model.close(email, covered)

    async def publish(self, one: Published) -> None:
        """Twice in one batch, as an upstream without idempotence does."""
        self.published.append(one)
        await self.engine.apply(one, one)

    async def redelivery(self, index: int) -> None:
        if self.published:
            await self.engine.apply(self.published[index % len(self.published)])

    async def erasure(self, email: str) -> None:
        email_hash = self.world.ring.lookup_hash("email", self.address(email).encode()).hex()
        found = "select subject_id from contacts where email_hash = $1::text::uuid"
        async with self.world.pool.acquire() as connection:
            subject_id = await connection.fetchval(found, email_hash)
            if subject_id is None:
                return
            async with connection.transaction():
                await self.world.desk.withdraw_subjects(connection, [subject_id], self.now)
            async with connection.transaction():
                assert await self.world.desk.erase_subjects(connection, [subject_id]) == {subject_id: 1}
                await connection.execute("delete from subjects where subject_id = $1", subject_id)
        for name in PURPOSES:
            self.model.said[email, name].no(self.now, False)
        self.model.close(email, PURPOSES)


setattr(Run, "import", Run._import)


@pytest.fixture
def lethe(database: str, tmp_path: Path) -> Iterator[tuple[asyncio.Runner, ConsentWorld]]:
    """A world in an event loop that lasts over all examples."""
    exits = AsyncExitStack()
    with asyncio.Runner() as runner:
        world = consent_world(database, tmp_path, confirm_hours=720, event_max_future_s=10**8)
        yield runner, runner.run(exits.enter_async_context(world))
        runner.run(exits.aclose())


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(sequence=steps)
def test_nobody_is_on_a_list_against_their_will(
    lethe: tuple[asyncio.Runner, ConsentWorld], sequence: list[tuple[Any, ...]]
) -> None:
    runner, world = lethe
    runner.run(_run(world, sequence))


async def _run(world: ConsentWorld, sequence: list[tuple[Any, ...]]) -> None:
    made: Run
    engine = Engine(
        world.pool, world.ring, world.settings, lambda: newsletter.NewsletterUnit(world.desk, lambda: made.now),
        newsletter.NAME, newsletter.TOPIC,
    )  # fmt: skip
    engine.transaction._clock = lambda: made.now
    await engine.start()
    engine.offsets[0] = await engine.position()
    made = Run(world, engine)
    for name, *arguments in sequence:
        await made.step(name, *arguments)
    assert await engine.letters() == [], "nothing was refused"
