"""What is particular to an HTTP store: pages, repetition, limits, and where it may not be sent to."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import stores
from tests.support.sites import http
from tests.support.sites.http import HttpSite
from tests.support.stores import Desk, customers, desk, task
from workers.stores import connectors
from workers.stores.connector import Connector, Misconfigured, Person, Unavailable
from workers.stores.directory import Store

ADA, BO = customers(2)
ADA_THERE = Person(uuid4(), {"email": (ADA.email,), "customer_ref": (ADA.customer_ref,)})


@pytest.fixture
async def crm() -> AsyncIterator[HttpSite]:
    async with http.site() as made:
        await made.plant([ADA, BO])
        yield made


@pytest.fixture
async def at(database: str, tmp_path: Path, crm: HttpSite) -> AsyncIterator[Desk]:
    async with desk(database, tmp_path, crm.store) as made:
        yield made


def connected(store: Store) -> Connector:
    return connectors.connect(store, stores.AROUND)


def changed(crm: HttpSite, **options: Any) -> Store:
    return crm.store.model_copy(update={"options": crm.options(**options)})


async def test_reads_every_page(crm: HttpSite, at: Desk) -> None:
    (found,) = await at.ask(crm.store, "find", [ADA])
    assert found.counts == {"contacts": 3, "tickets": 3}, f"more than the {http.PAGE} of a page"


async def test_an_erasure_that_is_tried_again_carries_the_same_key(crm: HttpSite) -> None:
    connector = connected(crm.store)
    crm.lies = True
    await connector.erase([ADA_THERE])
    await connector.erase([ADA_THERE])
    await connector.close()
    keys = [(path, key) for method, path, key in crm.seen if method == "DELETE"]
    assert len(keys) == 6
    assert keys[:3] == keys[3:]
    assert len({key for _, key in keys}) == 3, "another object, another key"
    assert None not in dict(keys).values()


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_what_may_pass_is_tried_again(crm: HttpSite, status: int) -> None:
    connector = connected(crm.store)
    crm.refuse_next = [status, status]
    assert (await connector.find([ADA_THERE]))[ADA_THERE.subject_ref].counts["contacts"] == 3
    await connector.close()


@pytest.mark.parametrize(
    ("status", "error"), [(401, Misconfigured), (403, Misconfigured), (302, Misconfigured), (500, Unavailable)]
)  # fmt: skip
async def test_what_an_answer_means(crm: HttpSite, status: int, error: type[Exception]) -> None:
    """A redirect is never followed."""
    connector = connected(crm.store)
    crm.refuse = status
    with pytest.raises(error):
        await connector.find([ADA_THERE])
    assert all(path.startswith("/api/") for _, path, _ in crm.seen)
    await connector.close()


async def test_a_search_that_is_not_found_is_no_absence(crm: HttpSite) -> None:
    """A wrong path looks like that, too; the file may say otherwise."""
    crm.refuse = 404
    connector = connected(crm.store)
    assert (await connector.find([ADA_THERE]))[ADA_THERE.subject_ref].refused is not None
    await connector.close()
    resources: Any = crm.options()["resources"]
    for resource in resources:
        resource["find"]["not_found_is_empty"] = True
    connector = connected(changed(crm, resources=resources))
    assert await connector.find([ADA_THERE]) == {}
    await connector.close()


async def test_a_next_page_elsewhere_is_not_asked_for(crm: HttpSite) -> None:
    connector = connected(crm.store)
    crm.next_page_host = "169.254.169.254"
    with pytest.raises(Unavailable, match=r"not on options\.base_url"):
        await connector.find([ADA_THERE])
    await connector.close()


async def test_an_address_that_is_not_public_must_be_listed(crm: HttpSite) -> None:
    connector = connected(changed(crm, networks=[]))
    with pytest.raises(Misconfigured, match=r"not public"):
        await connector.find([ADA_THERE])
    assert crm.seen == []
    await connector.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "http://crm.example/api"}, "not among options.hosts"),
        ({"base_url": "http://crm.example/api", "hosts": ["crm.example"]}, "use https"),
        ({"networks": ["everywhere"]}, "networks"),
        ({"auth": {"bearer": "let-me-in"}}, "auth.bearer"),
        ({"resources": []}, "resources"),
    ],
)
def test_a_wrong_file_is_refused(crm: HttpSite, options: dict[str, Any], message: str) -> None:
    with pytest.raises(Misconfigured, match=message) as refused:
        connected(changed(crm, **options))
    assert "let-me-in" not in str(refused.value)


async def test_values_cannot_leave_their_place_in_the_path(crm: HttpSite) -> None:
    connector = connected(crm.store)
    odd = Person(uuid4(), {"email": ("a@example.org&email=Person1@example.org",), "customer_ref": ("../../c-1#?x",)})
    assert await connector.find([odd]) == {}
    assert {path for _, path, _ in crm.seen} == {"/api/contacts", "/api/tickets"}
    await connector.close()


async def test_the_check_finds_a_search_that_ignores_its_value(crm: HttpSite) -> None:
    connector = connected(crm.store)
    assert "finds nothing" in (await connector.check())[0]
    await connector.close()
    resources: Any = crm.options()["resources"]
    resources[0]["find"]["path"] = f"contacts?email={ADA.email}&mail={{email}}"
    connector = connected(changed(crm, resources=resources))
    with pytest.raises(Misconfigured, match="ignores the value"):
        await connector.check()
    await connector.close()


async def test_who_was_erased_before_the_store_went_away_is_not_called_unknown(crm: HttpSite, at: Desk) -> None:
    """The first attempt got half way: the second finds nothing of ADA, and must not say that nothing was there."""
    given = task(crm.store, "erase", [ADA, BO])
    await at.give(given)
    crm.refuse_value, crm.refuse_value_with = BO.email, 503
    assert await at.runner.run_next(crm.store)
    assert await crm.is_empty_of(ADA)
    crm.refuse_value = None
    at.now = at.clock() + timedelta(minutes=1)
    assert await at.runner.run_next(crm.store)
    assert [one.outcome for one in (await at.receipts())[given.task_id].results] == ["erased", "erased"]


async def test_one_refused_person_does_not_hold_back_the_others(crm: HttpSite, at: Desk) -> None:
    odd = BO._replace(email="o'neil@example.org")
    crm.refuse_value = odd.email
    results = await at.ask(crm.store, "erase", [ADA, odd, BO])
    assert [one.outcome for one in results] == ["erased", "failed", "erased"]
    assert results[1].reason == "the store refuses the search for contacts: HTTP 400"
