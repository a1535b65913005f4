"""What is particular to Redis: templates with * and names that begin like others."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import stores
from tests.support.sites import redis
from tests.support.sites.redis import OPTIONS, RedisSite
from tests.support.stores import Customer, Desk, customers, desk
from workers.stores import connectors
from workers.stores.connector import Misconfigured


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[RedisSite]:
    async with redis.site(tmp_path) as made:
        yield made


@pytest.fixture
async def at(database: str, tmp_path: Path, site: RedisSite) -> AsyncIterator[Desk]:
    async with desk(database, tmp_path, site.store) as made:
        yield made


async def test_a_name_that_begins_like_another_is_another(site: RedisSite, at: Desk) -> None:
    people = customers(12)
    await site.plant(people)
    before = await site.content(people[1:])
    await at.ask(site.store, "erase", people[:1])
    assert await site.is_empty_of(people[0])
    assert await site.content(people[1:]) == before, "c-1 is gone, c-10 to c-12 are not"


async def test_wildcards_in_an_identifier_are_plain_letters(site: RedisSite, at: Desk) -> None:
    people = customers(3)
    await site.plant(people)
    before = await site.content(people)
    results = await at.ask(
        site.store, "erase", [Customer("*", "c-?", ()), Customer("Person[123]@example.org", "*", ())]
    )
    assert {one.outcome for one in results} == {"nothing_found"}
    assert await site.content(people) == before


async def test_a_key_of_another_kind_is_no_absence(site: RedisSite, at: Desk) -> None:
    await site.client.set("newsletter", "not a set")
    with pytest.raises(AssertionError, match="is a key of another kind"):
        await at.ask(site.store, "verify", customers(1))


@pytest.mark.parametrize(
    "item",
    [
        {"what": "sessions", "key": "session:{customer_ref}*"},
        {"what": "sessions", "key": "session:"},
        {"what": "sessions", "key": "session:{customer_ref}:{email}"},
        {"what": "newsletter", "key": "newsletter", "kind": "set"},
        {"what": "newsletter", "key": "newsletter:{email}", "kind": "set", "member": "{email}"},
    ],
    ids=lambda item: item["key"],
)
def test_a_template_that_could_hit_others_is_refused(item: dict[str, Any]) -> None:
    store = stores.store("redis", {**OPTIONS, "items": [item]}, name="sessions")
    with pytest.raises(Misconfigured, match=r"options\.items\.0"):
        connectors.connect(store, stores.AROUND)
