"""A store that a person works on: the mail, the page behind its link, the receipt."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest
import yaml

from schemas.store import StoreReceipt
from tests.support import stores
from tests.support.endpoints import Endpoints
from tests.support.lethe import ROOT
from tests.support.stores import Customer, Desk, customers, desk, task
from tests.support.website import Website, website
from workers.settings import Settings
from workers.stores import connectors, directory, jwe
from workers.stores.connector import Misconfigured
from workers.stores.directory import Store

PEOPLE = customers(3)
TO = "archive@shop.example"


@pytest.fixture(scope="module")
def site(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Website]:
    """The pages, and one store's file."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "stores").mkdir()
    head = {"name": "archive", "title": "The archive", "kind": "human", "identifiers": ["email", "customer_ref"],
            "max_subjects_per_task": 40, "backups_kept_days": 7, "options": {"to": TO}}  # fmt: skip
    (folder / "stores/archive.yaml").write_text(yaml.safe_dump(head))
    with website(stack, folder, stores_dir=folder / "stores") as running:
        yield running


@pytest.fixture
def archive(site: Website) -> Store:
    jwe.create_private(site.settings.keyring_dir, "archive")
    return directory.load(site.settings.stores_dir, site.settings.keyring_dir)["archive"]


@pytest.fixture
async def at(site: Website, archive: Store) -> AsyncIterator[Desk]:
    """A runner beside the worker `web`, on the same database."""
    settings: Settings = site.settings
    dsn = settings.database_dsn.get_secret_value()
    async with desk(dsn, settings.keyring_dir.parent, archive, public_url=settings.public_url) as made:
        yield made


async def asked(at: Desk, site: Website, archive: Store, action: stores.Action, people: Sequence[Customer]) -> str:
    """Give a task; the path of the link in the mail that follows."""
    await at.give(task(archive, action, people))
    assert await at.runner.run_next(archive)
    return site.letters(TO)[-1].path


def the(receipts: dict[object, StoreReceipt]) -> StoreReceipt:
    """The newest."""
    return list(receipts.values())[-1]


async def test_the_mail_names_nobody_and_the_page_says_who(site: Website, at: Desk, archive: Store) -> None:
    path = await asked(at, site, archive, "erase", PEOPLE)
    letter = site.letters(TO)[-1]
    assert letter.template == "store_erase"
    assert letter.values["count"] == "3"
    assert not any(person.email in value for person in PEOPLE for value in letter.values.values())
    page = site.get(path)
    assert page.status == 200
    assert all(person.email in page.text and person.customer_ref in page.text for person in PEOPLE)
    assert page.headers["cache-control"] == "no-store"
    assert "Effacement demandé" in site.get("/fr" + path).text


async def test_looking_answers_nothing_and_sending_answers_once(site: Website, at: Desk, archive: Store) -> None:
    before = await at.receipts()
    path = await asked(at, site, archive, "erase", PEOPLE)
    for _ in range(3):
        assert site.get(path).status == 200
    assert await at.receipts() == before
    until = {"ground": "Code de commerce L123-22", "until": "2031-12-31"}
    sent = site.post(path, {"outcome.0": "erased", "outcome.1": "kept", "outcome.2": "nothing_found", **until})
    assert sent.status == 200
    receipt = the(dict(await at.receipts()))
    assert [one.outcome for one in receipt.results] == ["erased", "kept", "nothing_found"]
    assert receipt.results[0].backups_expire_at is not None
    (kept,) = receipt.results[1].kept
    assert (kept.ground, str(kept.until)) == ("Code de commerce L123-22", "2031-12-31")
    assert site.get(path).status == 404
    assert site.post(path, {"outcome.0": "failed"}).status == 404
    assert len(await at.receipts()) == len(before) + 1


async def test_a_later_look_is_asked_for_as_well(site: Website, at: Desk, archive: Store) -> None:
    path = await asked(at, site, archive, "verify", PEOPLE[:1])
    assert site.letters(TO)[-1].template == "store_look"
    assert "Erased" not in site.get(path).text
    site.post(path, {"outcome.0": "absent"})
    assert [one.outcome for one in the(dict(await at.receipts())).results] == ["absent"]


@pytest.mark.parametrize(
    "form",
    [{}, {"outcome.0": "absent"}, {"outcome.0": "erased"}, {"outcome.0": "kept", "outcome.1": "erased"},
     {"outcome.0": "kept", "outcome.1": "erased", "ground": "a law", "until": "tomorrow"}],
)  # fmt: skip
async def test_what_is_missing_is_asked_for_again(
    site: Website, at: Desk, archive: Store, form: dict[str, str]
) -> None:  # fmt: skip
    path = await asked(at, site, archive, "erase", PEOPLE[:2])
    before = len(await at.receipts())
    again = site.post(path, form)
    assert again.status == 400
    assert 'role="alert"' in again.text
    assert len(await at.receipts()) == before


def test_a_link_that_nobody_was_given(site: Website) -> None:
    for token in ("x" * 32, "x" * 100):
        assert site.get(f"/stores/{token}").status == 404
        assert site.post(f"/stores/{token}", {}).status == 404


async def test_a_person_who_never_answers_is_answered_for(site: Website, at: Desk, archive: Store) -> None:
    given = task(archive, "erase", PEOPLE[:1], respond_in_s=60)
    await at.give(given)
    assert await at.runner.run_next(archive)
    assert not await at.runner.run_next(archive), "one mail, not one after the other"
    at.now = given.respond_by
    assert await at.runner.answer_for_the_late() >= 1
    (result,) = (await at.receipts())[given.task_id].results
    assert (result.outcome, result.reason) == ("failed", "the store did not answer in time")


def test_no_page_and_no_link_is_in_a_log(site: Website) -> None:
    assert "example.org" not in site.worker.log
    assert not re.search(r"/stores/[A-Za-z0-9_-]{20}", site.worker.log)


def test_a_person_s_file_is_checked() -> None:
    with pytest.raises(Misconfigured, match="is no e-mail address"):
        connectors.connect(stores.store("human", {"to": "archive"}, max_subjects_per_task=40), stores.AROUND)
    with pytest.raises(ValueError, match="has room for 40"):
        stores.store("human", {"to": TO})
    assert (ROOT / "deploy/stores/examples/accountant.yaml").exists()
