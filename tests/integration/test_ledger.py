"""The ledger is told in the transaction that it is about: with it, or not at all."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgpack
import pytest

from schemas import registry
from schemas.ledger import AddressSuppressed, SubjectErased
from tests.support.consents import ERIKA, ConsentWorld, change, consent_world
from tests.support.orders import NOW
from workers import ledger
from workers.domain.consent import Kind

LATER = NOW + timedelta(days=1)


@pytest.fixture
async def world(database: str, tmp_path: Path) -> AsyncIterator[ConsentWorld]:
    async with consent_world(database, tmp_path) as made:
        yield made


async def told(world: ConsentWorld) -> list[tuple[str, SubjectErased | AddressSuppressed]]:
    """Key and entry of every message that waits for the relay, in order."""
    found = []
    for row in await world.pool.fetch("select records from outbox order by position"):
        for topic, key, event_type, _, reason, value in msgpack.unpackb(row["records"]):
            assert topic == world.settings.topic("ledger")
            assert reason is None, "a tombstone would be forgotten one day"
            model = registry.decode_data(registry.spec_for(event_type), value)
            assert isinstance(model, SubjectErased | AddressSuppressed)
            found.append((key, model))
    return found


async def test_a_no_is_told_and_a_later_yes_too(world: ConsentWorld) -> None:
    await world.subscribe()
    assert await told(world) == [], "a yes alone takes nothing back"
    await world.apply(change(Kind.WITHDRAWN))
    hash_ = UUID(bytes=world.ring.lookup_hash("suppression", ERIKA.encode()))
    no = AddressSuppressed(
        suppression_hash=hash_, purpose="newsletter", reason="withdrawn", since=NOW, lifted=False
    )  # fmt: skip
    key = f"suppressed:{hash_}:newsletter"
    assert await told(world) == [(key, no)]
    await world.subscribe(now=LATER)
    assert await told(world) == [(key, no), (key, no.model_copy(update={"since": LATER, "lifted": True}))]


async def test_an_erasure_is_told(world: ConsentWorld) -> None:
    hashes = [UUID(int=1), UUID(int=2)]
    async with world.pool.acquire() as connection, connection.transaction():
        await ledger.tell_erased(connection, world.settings, hashes, NOW)
    assert await told(world) == [(f"erased:{one}", SubjectErased(reference_hash=one, erased_at=NOW)) for one in hashes]


async def test_what_is_rolled_back_is_not_told(world: ConsentWorld) -> None:
    async with world.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await world.desk.apply(connection, [change(Kind.OBJECTION)], NOW)
        await transaction.rollback()
    assert await told(world) == []
    assert await world.suppressions() == {}


async def test_nothing_that_names_a_person_is_in_it(world: ConsentWorld) -> None:
    await world.subscribe()
    await world.apply(change(Kind.OBJECTION))
    (row,) = await world.pool.fetch("select records from outbox")
    assert ERIKA.encode() not in row["records"]
    assert ERIKA.partition("@")[0].encode() not in row["records"]
