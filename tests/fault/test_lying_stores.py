"""Stores that fail, are silent, and lie, at each step: confirmed or honestly partial, never a false certificate.

One round of erasures. Each person is named after what the store does when it is asked about them; a second store is
honest, and what the first one does must not keep it from being confirmed.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest
import yaml
from typer.testing import CliRunner

from tests.fault.test_erasure_kills import QUICK
from tests.support import lethe
from tests.support.endpoints import Endpoints
from tests.support.erasure import asked, rows, states
from tests.support.lies import BEHAVIOURS, DONE, GROUND, PARTLY, TRUTHFUL_LOOKS, silent
from tests.support.lying_store import Body, LyingStore, serving
from tests.support.sites import http
from tests.support.waiting import wait_until
from tests.support.worker_process import worker_process
from workers.cli import migrate
from workers.cli.app import app
from workers.cli.local import environment
from workers.settings import Settings

WORKERS = ("relay", "requests")


def email(behaviour: str) -> str:
    return f"{behaviour}@liars.example"


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path) -> Settings:
    stores = tmp_path / "stores"
    stores.mkdir()
    return lethe.prepare(
        stack, prefix, database, tmp_path, stores_dir=stores, erasure_poll_s=0.1, segment_ms=1000, **QUICK
    )  # fmt: skip


def run(settings: Settings, *arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), env=environment.for_child(settings, lethe.ROOT))
    assert result.exit_code == 0, result.output
    return result.output


def ask(settings: Settings, *emails: str) -> dict[str, UUID]:
    requests = {one: asked(None, one) for one in emails}
    lethe.publish(settings, [event for _, event in requests.values()], "requests")
    return {one: number for one, (number, _) in requests.items()}


def wait_for(settings: Settings, numbers: dict[str, UUID], wanted: dict[str, str]) -> None:
    """Until the requests of these addresses stand so."""

    def wrong() -> dict[str, str | None]:
        found = states(settings, list(numbers.values()))
        return {one: found.get(numbers[one]) for one, state in wanted.items() if found.get(numbers[one]) != state}

    wait_until(lambda: not wrong(), 120, lambda: str(wrong()), poll_s=0.2)


def refs(settings: Settings, store: str) -> dict[UUID, UUID]:
    """What each request's person is called at a store."""
    found = rows(settings, "select request_id, subject_ref from request_stores where store = $1", store)
    return {row["request_id"]: row["subject_ref"] for row in found}


def latest(settings: Settings) -> dict[UUID, Body]:
    """The last certificate of each request."""
    found = rows(settings, "select request_id, document from certificates order by sequence")
    return {row["request_id"]: json.loads(row["document"]) for row in found}


def judge(settings: Settings, numbers: dict[str, UUID], liar: LyingStore, truthful: Sequence[str]) -> None:
    """No certificate says more than the stores have shown; the honest store is confirmed in each."""
    named = refs(settings, liar.name)
    for number, document in latest(settings).items():
        (address,) = [one for one, its in numbers.items() if its == number]
        entry = {one["name"]: one for one in document["stores"]}
        assert entry["Calm"]["verified_absent_at"] is not None, address
        claimed = entry["Liar"]["verified_absent_at"] is not None
        assert claimed == (document["outcome"] == DONE), address
        assert claimed or entry["Liar"]["not_confirmed"], address
        if claimed:
            assert liar.has_shown_absence(named[number]), f"{address}: {liar.asked[named[number]]}"
            assert address not in liar.held or address not in truthful, f"{address}: certified, and there"


def test_no_certificate_says_more_than_the_stores_have_shown(settings: Settings, tmp_path: Path) -> None:
    liar = LyingStore(settings, "liar", {email(name): one.does for name, one in BEHAVIOURS.items()})
    calm = LyingStore(settings, "calm", {})
    ends = {email(name): one.end for name, one in BEHAVIOURS.items()}
    truthful = [email(name) for name in TRUTHFUL_LOOKS]
    for store in (liar, calm):
        store.write_file(settings.stores_dir)
        store.held = dict.fromkeys(ends, 7)
    with serving(liar, calm), worker_process(settings, WORKERS):
        numbers = ask(settings, *ends)
        wait_for(settings, numbers, {one: DONE for one, end in ends.items() if end == DONE})
        stubborn = [one for one, end in ends.items() if end == PARTLY]
        ref_of = refs(settings, "liar")
        asked_of = {one: liar.asked[ref_of[numbers[one]]] for one in stubborn}
        judge(settings, numbers, liar, truthful)
        wait_until(lambda: all(len(tasks) > 1 for tasks in asked_of.values()), 60, "each is asked again")
        wait_for(settings, numbers, dict.fromkeys(stubborn, "waiting_for_store"))
        judge(settings, numbers, liar, truthful)

        # Two days are left.
        rows(settings, "update requests set due_at = now() where state = 'waiting_for_store' returning 1")
        wait_for(settings, numbers, dict.fromkeys(stubborn, PARTLY))
        judge(settings, numbers, liar, truthful)
        assert len(latest(settings)) == len(numbers)

        # A true answer that comes too late changes nothing; once the store is asked again it is confirmed.
        for one in stubborn:
            task = asked_of[one][-1]
            said = {"subject_ref": str(ref_of[numbers[one]]), "outcome": "absent"}
            liar.send({"task_id": str(task.task_id), "store": "liar", "action": task.action, "results": [said],
                       "answered_at": "2026-11-25T12:00:00Z"})  # fmt: skip
        time.sleep(1)
        wait_for(settings, numbers, dict.fromkeys(stubborn, PARTLY))
        liar.scripts.clear()
        for one in stubborn:
            run(settings, "requests", "retry", str(numbers[one]))
        wait_for(settings, numbers, dict.fromkeys(stubborn, DONE))
        judge(settings, numbers, liar, truthful)
        last = latest(settings)
        replaced = {number for number, document in last.items() if document["replaces"] is not None}
        assert replaced == {numbers[one] for one in stubborn}
        assert f"{len(last) + len(stubborn)} certificates" in run(settings, "certificate", "verify", "--chain")
        assert kept_by("kept-on-a-ground", numbers, last) == [GROUND]
        assert kept_by("kept-at-first", numbers, last) == []
        stores = last[numbers[email("kept-on-a-ground")]]["stores"]
        assert not [one["deleted"] for one in stores if one["deleted"]], "what a look counted was not deleted"


def kept_by(behaviour: str, numbers: dict[str, UUID], certificates: dict[UUID, Body]) -> list[str]:
    """On which grounds something is kept, by the certificate."""
    stores = certificates[numbers[email(behaviour)]]["stores"]
    return [one["ground"] for store in stores for one in store["kept"]]


def test_nothing_that_a_store_says_about_a_person_is_kept_in_the_clear(settings: Settings, tmp_path: Path) -> None:
    names = ("names-the-person", "names-the-person-as-ground")
    liar = LyingStore(settings, "liar", {email(name): BEHAVIOURS[name].does for name in names})
    liar.write_file(settings.stores_dir)
    with serving(liar), worker_process(settings, WORKERS) as worker:
        numbers = ask(settings, *map(email, names))
        wait_for(settings, numbers, {email(names[1]): DONE})
        wait_until(lambda: rows(settings, "select 1 from request_stores where reason is not null"), 60, "no reason")
        said = rows(settings, "select coalesce(reason, '') || coalesce(kept::text, '') as words from request_stores")
        clear = [*(row["words"] for row in said), json.dumps(list(latest(settings).values())), worker.log]
        assert not [one for one in clear if "liars.example" in one or "0612345678" in one]


@pytest.mark.parametrize("change", ["disabled", "removed"])
def test_a_store_that_is_taken_away_midway_and_comes_back(settings: Settings, tmp_path: Path, change: str) -> None:
    address = email("honest")
    store = LyingStore(settings, "liar", {address: silent("verify")})
    store.held = {address: 7}
    store.write_file(settings.stores_dir)
    with serving(store):
        with worker_process(settings, WORKERS):
            numbers = ask(settings, address)
            number = numbers[address]
            wait_for(settings, numbers, {address: "waiting_for_store"})
            wait_until(lambda: len(store.asked[refs(settings, "liar")[number]]) > 1, 60, "asked to look")
        if change == "removed":
            (settings.stores_dir / "liar.yaml").unlink()
        else:
            store.write_file(settings.stores_dir, enabled=False)
        with worker_process(settings, WORKERS):
            if change == "disabled":
                rows(settings, "update requests set due_at = now() returning 1")
            wait_for(settings, numbers, {address: PARTLY})
            (said,) = latest(settings)[number]["stores"]
            assert said["verified_absent_at"] is None
            assert said["not_confirmed"]
        store.scripts.clear()
        store.write_file(settings.stores_dir)
        with worker_process(settings, WORKERS):
            run(settings, "requests", "retry", str(number))
            wait_for(settings, numbers, {address: DONE})
            (said,) = latest(settings)[number]["stores"]
            assert said["verified_absent_at"] is not None
            assert store.has_shown_absence(refs(settings, "liar")[number])


async def test_a_server_that_acknowledges_and_does_nothing(settings: Settings) -> None:
    """It is Lethe's own look that finds out; a server that fails meanwhile is not taken for an empty one."""
    async with http.site() as site:
        head = site.store.model_dump(mode="json", exclude={"key"}) | {"respond_within_s": 2}
        (settings.stores_dir / "crm.yaml").write_text(yaml.safe_dump(head))
        await migrate.prepare(settings, lambda line: None)
        await asyncio.to_thread(_is_found_out, settings, site)


def _is_found_out(settings: Settings, site: http.HttpSite) -> None:
    address = email("honest")
    site.contacts["1"] = {"kind": "contact", "email": address, "customer": "c-1"}
    site.lies = True
    with worker_process(settings, (*WORKERS, "stores")):
        numbers = ask(settings, address)
        again = "select 1 from request_stores where attempts > 2"
        wait_until(lambda: rows(settings, again), 60, lambda: str(rows(settings, "select * from request_stores")))
        site.refuse = 503
        wait_for(settings, numbers, {address: "waiting_for_store"})
        rows(settings, "update requests set due_at = now() returning 1")
        wait_for(settings, numbers, {address: PARTLY})
        (said,) = latest(settings)[numbers[address]]["stores"]
        assert said["verified_absent_at"] is None
        assert site.contacts
        site.refuse, site.lies = None, False
        run(settings, "requests", "retry", str(numbers[address]))
        wait_for(settings, numbers, {address: DONE})
        (said,) = latest(settings)[numbers[address]]["stores"]
        assert said["verified_absent_at"] is not None
        assert not site.contacts
