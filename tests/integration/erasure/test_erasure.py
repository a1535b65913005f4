"""Persons are erased, by every worker, on real Kafka and PostgreSQL."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.integration.erasure.conftest import WORKERS
from tests.support import lethe
from tests.support.erasure import asked, order, rows
from tests.support.planted import ask, email, name, populate, wait_for
from tests.support.waiting import wait_until
from tests.support.worker_process import worker_process
from workers.settings import Settings


def test_what_is_older_stays_away_and_who_orders_again_is_a_new_person(settings: Settings, tmp_path: Path) -> None:
    old = datetime.now(UTC) - timedelta(hours=1)
    with worker_process(settings, [one for one in WORKERS if one != "shipping"]):
        # Somebody whose first order nobody has read yet.
        lethe.publish(settings, [order("c-unread", "o-unread", "Unread", "unread@example.org", old)])
        unread, event = asked("c-unread")
        lethe.publish(settings, [event], "requests")
        erased = "select 1 from requests where step not in ('none', 'fenced')"
        wait_until(lambda: rows(settings, erased), 60, "erased before the order is read")
        with worker_process(settings, ["shipping"], tmp_path / "shipping.log"):
            populate(settings, tmp_path)
            (number,) = ask(settings, [0])
            wait_for(settings, [number, unread], "completed")
            lethe.publish(
                settings,
                [
                    order("c-0", "o-0", name(0), email(0), old),
                    order("c-0", "o-late", name(0), email(0), old),
                    order("c-0", "o-new", name(0), email(0)),
                ],
            )
            new = "select 1 from shipments where shipment_id = 'o-new'"
            wait_until(lambda: rows(settings, new), 60, "o-new")
            assert rows(settings, "select 1 from shipments where shipment_id in ('o-0', 'o-late', 'o-unread')") == []
            refused = rows(settings, "select code, sealed from dead_letters")
            assert [(row["code"], row["sealed"]) for row in refused] == [("subject_erased", None)] * 3
