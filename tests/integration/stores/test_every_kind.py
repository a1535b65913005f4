"""What every kind of store must do, on a real server of its kind."""

import time
from datetime import timedelta

from tests.support.sites.site import Site
from tests.support.stores import BACKUPS_KEPT_DAYS, Desk, customers, task

ERASED = customers(12)
OTHERS = customers(12, start=100)
STRANGERS = customers(2, start=900)


async def planted(site: Site) -> object:
    """Everybody's data; returns the others' as it must stay."""
    await site.plant(OTHERS[:6])
    await site.plant(ERASED)
    await site.plant(OTHERS[6:])
    return await site.content(OTHERS)


async def test_erases_who_is_named_and_touches_nobody_else(site: Site, at: Desk) -> None:
    before = await planted(site)
    results = await at.ask(site.store, "erase", ERASED)
    assert {one.outcome for one in results} == {"erased"}
    assert len({tuple(sorted(one.counts.items())) for one in results}) == 1, "equal people, equal counts"
    assert all(one.counts and min(one.counts.values()) > 0 for one in results)
    assert [await site.is_empty_of(person) for person in ERASED] == [True] * len(ERASED)
    assert await site.content(OTHERS) == before


async def test_names_the_day_when_backups_expire(site: Site, at: Desk) -> None:
    await planted(site)
    (result,) = await at.ask(site.store, "erase", ERASED[:1])
    assert result.backups_expire_at == (at.clock() + timedelta(days=BACKUPS_KEPT_DAYS)).date()


async def test_its_own_later_look_finds_nothing(site: Site, at: Desk) -> None:
    await planted(site)
    assert {one.outcome for one in await at.ask(site.store, "verify", ERASED)} == {"present"}
    await at.ask(site.store, "erase", ERASED)
    assert {one.outcome for one in await at.ask(site.store, "verify", ERASED)} == {"absent"}
    assert {one.outcome for one in await at.ask(site.store, "verify", OTHERS)} == {"present"}


async def test_finding_counts_and_changes_nothing(site: Site, at: Desk) -> None:
    before = await planted(site)
    found = await at.ask(site.store, "find", [*OTHERS, *STRANGERS])
    assert [one.outcome for one in found] == ["present"] * len(OTHERS) + ["absent"] * len(STRANGERS)
    erased = await at.ask(site.store, "erase", ERASED)
    assert found[0].counts == erased[0].counts
    assert await site.content(OTHERS) == before


async def test_erasing_again_finds_nothing(site: Site, at: Desk) -> None:
    before = await planted(site)
    await at.ask(site.store, "erase", ERASED)
    again = await at.ask(site.store, "erase", ERASED + STRANGERS)
    assert {one.outcome for one in again} == {"nothing_found"}
    assert {one.backups_expire_at for one in again} == {None}
    assert await site.content(OTHERS) == before


async def test_a_store_that_is_away_is_asked_again(site: Site, at: Desk) -> None:
    before = await planted(site)
    await site.break_down()
    given = task(site.store, "erase", ERASED)
    await at.give(given)
    assert await at.runner.run_next(site.store)
    assert await at.receipts() == {}, "nothing is known, so nothing is answered"
    await site.come_back()
    now = at.clock()
    at.now = now + timedelta(seconds=60)
    assert await at.runner.run_next(site.store)
    receipt = (await at.receipts())[given.task_id]
    assert {one.outcome for one in receipt.results} == {"erased"}
    assert await site.content(OTHERS) == before


async def test_a_store_that_stays_away_gets_an_honest_receipt(site: Site, at: Desk) -> None:
    await planted(site)
    await site.break_down()
    given = task(site.store, "erase", ERASED, respond_in_s=30)
    await at.give(given)
    assert await at.runner.run_next(site.store)
    assert await at.runner.answer_for_the_late() == 0
    at.now = at.clock() + timedelta(seconds=31)
    assert not await at.runner.run_next(site.store)
    assert await at.runner.answer_for_the_late() == 1
    receipt = (await at.receipts())[given.task_id]
    assert {one.outcome for one in receipt.results} == {"failed"}
    reason = receipt.results[0].reason
    assert reason is not None
    assert reason.startswith("the store did not answer in time, tried 1 times: ")
    for person in ERASED:
        assert person.email.lower() not in reason.lower()
    await site.come_back()


async def test_what_comes_back_is_seen(site: Site, at: Desk) -> None:
    """A restored backup, an import that ran once more."""
    await planted(site)
    await at.ask(site.store, "erase", ERASED)
    await site.plant(ERASED[:1])
    seen = await at.ask(site.store, "verify", ERASED)
    assert [one.outcome for one in seen] == ["present"] + ["absent"] * (len(ERASED) - 1)


async def test_a_store_that_lies_is_found_out(site: Site, at: Desk) -> None:
    if not site.can_lie:
        return
    before = await planted(site)
    await site.lie()
    await at.ask(site.store, "erase", ERASED)
    assert {one.outcome for one in await at.ask(site.store, "verify", ERASED)} == {"present"}
    assert await site.content(OTHERS) == before


async def test_hundreds_of_people_in_one_task(site: Site, at: Desk) -> None:
    many = customers(500, start=1000)
    before = await planted(site)
    await site.plant(many)
    started_s = time.monotonic()
    results = await at.ask(site.store, "erase", many)
    erased_s = time.monotonic() - started_s
    assert {one.outcome for one in results} == {"erased"}
    assert {one.outcome for one in await at.ask(site.store, "verify", many)} == {"absent"}
    assert await site.content(OTHERS) == before
    print(f"{site.store.kind}: {len(many) / erased_s:.0f} people/s erased")
