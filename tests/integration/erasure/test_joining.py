"""Requests of one person that come one after the other: they end together, and none is forgotten."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from tests.support.consents import ConsentWorld, consent_world
from tests.support.orders import NOW
from workers.domain.requests import Move, Reason
from workers.erasure.desk import Opening, RequestDesk
from workers.erasure.identities import Identities

EMAIL = "erika@example.com"


class Requests:
    """A request desk on a real database."""

    def __init__(self, world: ConsentWorld) -> None:
        self._world = world
        self._desk = RequestDesk(world.vault, world.ring, world.settings)

    async def ask(self, known_by: Identities, verified_by: str | None = None) -> UUID:
        """Open a request; its number."""
        number = uuid.uuid4()
        async with self._world.pool.acquire() as connection, connection.transaction():
            key = await self._desk.key(connection, number)
            opening = Opening(number, "web", "en", known_by, key, verified_by)
            await self._desk.open(connection, [opening], NOW)
        return number

    async def move(self, number: UUID, what: Move, reason: Reason | None = None) -> None:
        """Move it."""
        async with self._world.pool.acquire() as connection, connection.transaction():
            await self._desk.move(connection, [number], what, "test", NOW, reason)

    async def states(self) -> dict[UUID, str]:
        """Where each stands."""
        rows = await self._world.pool.fetch("select request_id, state from requests")
        return {row["request_id"]: row["state"] for row in rows}


@pytest.fixture
async def requests(database: str, tmp_path: Path) -> AsyncIterator[Requests]:
    async with consent_world(database, tmp_path) as world:
        yield Requests(world)


async def test_who_joined_an_unproven_request_ends_with_the_proven_one(requests: Requests) -> None:
    first = await requests.ask(Identities((EMAIL,)))
    second = await requests.ask(Identities((EMAIL,)))
    proven = await requests.ask(Identities((EMAIL,), ("c-1",)), "account token")
    await requests.move(proven, Move.COMPLETE)
    assert await requests.states() == dict.fromkeys((first, second, proven), "completed")


async def test_who_joined_a_request_that_was_done_in_part_ends_with_it_once_it_is_whole(requests: Requests) -> None:
    leader = await requests.ask(Identities((EMAIL,)), "account token")
    follower = await requests.ask(Identities((EMAIL,)))
    await requests.move(leader, Move.COMPLETE_PARTLY, Reason.STORE_SILENT)
    assert await requests.states() == dict.fromkeys((leader, follower), "partly_completed")
    await requests.move(leader, Move.COMPLETE)
    assert await requests.states() == dict.fromkeys((leader, follower), "completed")
