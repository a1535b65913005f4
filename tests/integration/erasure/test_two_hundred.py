"""200 persons with planted tokens, 100 of them erased: no hit of theirs anywhere, every byte of the others readable.

Real Kafka and PostgreSQL of this module's own, since their files are searched.
"""

import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
import yaml

from deploy.local.stack import Stack
from tests.integration.erasure.conftest import WORKERS
from tests.support import crowd, lethe
from tests.support.crowd import ERASED, PEOPLE, Person
from tests.support.endpoints import Endpoints
from tests.support.erasure import rows
from tests.support.planted import wait_for
from tests.support.readable import CARRIERS, everything
from tests.support.waiting import wait_until
from tests.support.worker_process import worker_process
from topics.catalogue import ROLLER_KEY
from workers.cli import migrate
from workers.proof import signing, verification
from workers.scan.scanner import Report, Scanner
from workers.settings import Settings

GOING, STAYING = crowd.people(0, ERASED), crowd.people(ERASED)
LEFT_BEHIND = ("keyring", "exports", "worker.log")
KEYS_LEFT = "select count(*) as n from requests where key_subject_id is not null or sealed is not null"


@pytest.fixture
def stack(own_stack: Stack) -> Endpoints:
    return Endpoints.of(own_stack)


class Searched:
    """Looks for the tokens of some persons, any number of times."""

    def __init__(self, persons: Sequence[Person]) -> None:
        self.tokens = [token for one in persons for token in one.tokens]
        self._scanner = Scanner(self.tokens)

    def report(self, folders: Iterable[Path]) -> Report:
        return self._scanner.scan(folders)

    def found(self, folders: Iterable[Path]) -> set[str]:
        return {self.tokens[one.token - 1] for one in self.report(folders).findings}


def populate(settings: Settings, exports: Path) -> None:
    """Everybody orders, some subscribe, all stand in both stores; no worker runs yet."""
    (settings.stores_dir / "notes.yaml").write_text(yaml.safe_dump(crowd.notes_store(exports)))
    lethe.in_a_loop(migrate.prepare(settings, lambda line: None))
    crowd.export(exports)
    lethe.publish(settings, [event for one in crowd.people() for event in crowd.orders(one)])
    lethe.publish(settings, crowd.subscriptions(), "consents")


def test_none_of_the_erased_is_found_and_every_byte_of_the_others_is_readable(
    settings: Settings, tmp_path: Path, own_stack: Stack
) -> None:
    exports = tmp_path / "exports"
    kafka, postgres = own_stack.data_dir / "kafka/data", own_stack.data_dir / "postgres"
    going, staying = Searched(GOING), Searched(STAYING)
    populate(settings, exports)
    topics = sorted(kafka.glob(f"{settings.prefix}*"))  # by now the broker has made all of them
    for searched in (going, staying):  # so that finding nothing means something
        assert searched.found(topics) == searched.found([exports]) == set(searched.tokens)

    with worker_process(settings, WORKERS):
        subscribed = len(crowd.subscribers())
        lethe.wait_drained(settings)
        counted = "select count(*) as n from consents where status = 'ConsentGiven'"
        wait_until(lambda: rows(settings, counted)[0]["n"] == subscribed, 60, lambda: str(rows(settings, counted)))
        before = everything(settings, crowd.people(), exports)
        check_completeness(before)

        requests = crowd.requests(GOING)
        lethe.publish(settings, [event for _, event in requests], "requests")
        wait_for(settings, [number for number, _ in requests], "completed")
        wait_until(lambda: rows(settings, KEYS_LEFT)[0]["n"] == 0, 60, lambda: str(rows(settings, KEYS_LEFT)))
        after = everything(settings, crowd.people(), exports)
        stay = {one.reference: before[one.reference] for one in STAYING}
        assert after == stay

        wait_until(lambda: not going.found(topics), 120, "the erased are in the files of Kafka", poll_s=1)
        time.sleep(3)  # a look that a renamed segment escaped is made up for: it is deleted a second after
        report = going.report([kafka, postgres, *(tmp_path / part for part in LEFT_BEHIND)])
        assert report.is_clean, (report.findings[:3], report.unread[:3])

        kept: set[str] = set()  # at the carrier, who still needs them; a look is no snapshot, see the scanner
        assert staying.found([exports]) == set(staying.tokens)
        wanted = {token for one in STAYING for token in (one.word, one.phone)}
        wait_until(
            lambda: kept.update(staying.found(topics)) or wanted <= kept, 60, lambda: f"{len(wanted - kept)} missing"
        )
    check_carriers(settings)
    check_answers(settings, tmp_path)


def check_completeness(before: dict[str, dict[str, object]]) -> None:
    """What is compared afterwards is all there, and each field holds its person's token."""
    kinds = [label.split()[0].partition("/")[0] for found in before.values() for label in found]
    assert set(before) == {one.reference for one in crowd.people()}
    shipments = PEOPLE + len(range(0, PEOPLE, 5)) + len(range(0, PEOPLE, 10))
    assert kinds.count("shipment") == shipments
    assert kinds.count("history") == kinds.count("contact") == len(crowd.subscribers())
    assert kinds.count("export") == kinds.count("note") == PEOPLE
    assert [kinds.count(code) for code in ("invalid_field", "order_unknown")] == [
        len(range(0, PEOPLE, every)) for every in (11, 13)
    ]
    assert all(kinds.count(f"carrier.{name}.addresses") > 40 for name in CARRIERS)
    for one in crowd.people():
        assert one.word in repr(before[one.reference][f"shipment o-{one.number}"])


def check_carriers(settings: Settings) -> None:
    """The last word to a carrier about an order of the erased is the withdrawal; never about an order of the others."""
    last = {
        (record.topic, record.key): record
        for record in lethe.read_topics(settings, [f"carrier.{name}.addresses" for name in CARRIERS])
        if record.key != ROLLER_KEY
    }
    owner = {place: int((place[1] or b"").decode().split("-")[1]) for place in last}
    withdrawn = {place for place, record in last.items() if record.value is None}
    assert {place for place in last if owner[place] < ERASED} <= withdrawn
    reasons = {owner[place]: last[place].headers["ce_reason"] for place in withdrawn}
    assert set(reasons.values()) == {b"erased", b"carrier_changed"}
    assert {number for number, reason in reasons.items() if reason == b"erased"} <= set(range(ERASED))


def check_answers(settings: Settings, tmp_path: Path) -> None:
    """Each gets one answer in their language, and a certificate that names nobody."""
    mails = [path.read_bytes() for path in (tmp_path / "mails").rglob("*.eml")]
    assert len(mails) == ERASED
    assert all(b"Content-Language: fr" in mail or b'lang=3D"fr"' in mail for mail in mails)
    kept = rows(settings, "select count(*) as n from subjects")[0]["n"]
    assert kept == PEOPLE - ERASED + 2, "the others, and the two stores, by whose names receipts are keyed"
    documents = [row["document"] for row in rows(settings, "select document from certificates order by sequence")]
    assert len(documents) == ERASED
    signer = signing.load(settings.keyring_dir)
    check = verification.ChainCheck({signer.key_id: signer.public}, whole=True)
    assert not [fault for document in documents for fault in check.add(document).faults]
    assert check.end() == []
    for document in map(json.loads, documents):
        assert document["outcome"] == "completed"
        assert [store["verified_absent_at"] is not None for store in document["stores"]] == [True, True]
        assert {carrier["acknowledged"] for carrier in document["carriers"]} == {0}
        assert document["own_stores"][0]["rendered_unreadable"]["key_epoch"] >= 1
    told = [json.loads(one.value or b"{}") for one in lethe.read_topics(settings, ["confirmations"])]
    assert len({one["subject_request_id"] for one in told if one["request_status"] == "completed"}) == ERASED
    assert lethe.read_topics(settings, ["orders"]) == [], "trimmed behind what was applied"
