"""Persons are erased, by every worker, on real Kafka and PostgreSQL; others are untouched."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.integration.erasure.conftest import WORKERS
from tests.support import lethe
from tests.support.erasure import order, rows
from tests.support.planted import ERASED, EXPORT, PEOPLE, TABLES, ask, counts, email, name, populate, wait_for
from tests.support.waiting import wait_until
from tests.support.worker_process import worker_process
from topics.catalogue import ROLLER_KEY
from workers.proof import signing, verification
from workers.settings import Settings

KEYS_LEFT = "select count(*) as n from requests where key_subject_id is not null or sealed is not null"


def test_the_erased_are_gone_everywhere_and_the_others_untouched(settings: Settings, tmp_path: Path) -> None:
    with worker_process(settings, WORKERS):
        populate(settings, tmp_path)
        numbers = ask(settings, range(ERASED))
        wait_for(settings, numbers, "completed")
        kept = PEOPLE - ERASED
        after = counts(settings)
        assert {table: after[table] for table in TABLES[1:]} == dict.fromkeys(TABLES[1:], kept)

        export = (tmp_path / "exports" / EXPORT).read_text()
        assert [f"c-{n}," in export for n in range(PEOPLE)] == [n >= ERASED for n in range(PEOPLE)]

        records = lethe.read_topics(settings, ["carrier.gls.addresses"])
        last = {record.key: record for record in records}
        for number in range(PEOPLE):
            value = last[f"o-{number}".encode()].value
            assert (value is None) == (number < ERASED)
        reasons = {
            record.headers["ce_reason"] for key, record in last.items() if record.value is None and key != ROLLER_KEY
        }
        assert reasons == {b"erased"}

        # The shop is told each step; the orders' topic is trimmed behind what was applied.
        told = [json.loads(one.value or b"{}") for one in lethe.read_topics(settings, ["confirmations"])]
        done = {one["subject_request_id"] for one in told if one["request_status"] == "completed"}
        assert done == {str(number) for number in numbers}
        assert lethe.read_topics(settings, ["orders"]) == []

        # Each gets an answer, in their language; then the request's own key is destroyed.
        wait_until(lambda: rows(settings, KEYS_LEFT)[0]["n"] == 0, 60, lambda: str(rows(settings, KEYS_LEFT)))
        assert counts(settings)["subjects"] == kept + 1, "the others, and the store, by whose name receipts are keyed"
        mails = [path.read_bytes() for path in (tmp_path / "mails").rglob("*.eml")]
        assert len(mails) == ERASED
        assert all(b"Content-Language: fr" in mail or b'lang=3D"fr"' in mail for mail in mails)

        log = (settings.keyring_dir.parent / "worker.log").read_text()
        assert "planted" not in log.lower()

        documents = rows(settings, "select document from certificates order by sequence")
        assert len(documents) == ERASED
        signer = signing.load(settings.keyring_dir)
        check = verification.ChainCheck({signer.key_id: signer.public}, whole=True)
        assert not [fault for row in documents for fault in check.add(row["document"]).faults]
        assert check.end() == []
        assert "planted" not in "".join(row["document"] for row in documents).lower()
        one = json.loads(documents[0]["document"])
        assert one["outcome"] == "completed"
        assert one["stores"][0]["verified_absent_at"] is not None
        assert one["own_stores"][0]["rendered_unreadable"]["key_epoch"] >= 1
        (carrier,) = one["carriers"]
        assert (carrier["carrier"], carrier["shipments"], carrier["acknowledged"]) == ("gls", 1, 0)


def test_what_is_older_stays_away_and_who_orders_again_is_a_new_person(settings: Settings, tmp_path: Path) -> None:
    with worker_process(settings, WORKERS):
        populate(settings, tmp_path)
        (number,) = ask(settings, [0])
        wait_for(settings, [number], "completed")
        old = datetime.now(UTC) - timedelta(hours=1)
        lethe.publish(
            settings,
            [
                order("c-0", "o-0", name(0), email(0), old),
                order("c-0", "o-late", name(0), email(0), old),
                order("c-0", "o-new", name(0), email(0)),
            ],
        )
        wait_until(
            lambda: bool(rows(settings, "select 1 from shipments where shipment_id = 'o-new'")), 60, lambda: "o-new"
        )
        found = rows(settings, "select shipment_id from shipments where shipment_id in ('o-0', 'o-late')")
        assert found == []
        refused = rows(settings, "select code, sealed from dead_letters")
        assert [(row["code"], row["sealed"]) for row in refused] == [("subject_erased", None)] * len(refused)
