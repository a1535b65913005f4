"""Persons are erased, by every worker, on real Kafka and PostgreSQL, also when a worker is killed meanwhile."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.erasure.conftest import WORKERS
from tests.support import lethe
from tests.support.erasure import asked, order, rows
from tests.support.planted import ERASED, PEOPLE, ask, counts, email, name, populate, wait_for
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


@pytest.mark.parametrize(
    "crash_at",
    [
        "erasure.before_fence_commit:1",
        "erasure.before_erase_commit:1",
        "erasure.before_certificate_commit:1",
        "rotation.unlinked:1",
    ],
)
def test_killed_at_each_step_it_ends_all_the_same(settings: Settings, tmp_path: Path, crash_at: str) -> None:
    with worker_process(settings, ("shipping", "relay", "newsletter", "stores")):
        populate(settings, tmp_path)
        with worker_process(settings, ("requests",), tmp_path / "killed.log", crash_at, ready=False) as killed:
            numbers = ask(settings, range(ERASED))
            assert killed.wait() == -9
        with worker_process(settings, ("requests",), tmp_path / "second.log"):
            wait_for(settings, numbers, "completed")
            assert counts(settings)["shipments"] == PEOPLE - ERASED
            certified = rows(settings, "select count(*) as n, count(distinct request_id) as m from certificates")[0]
            assert (certified["n"], certified["m"]) == (ERASED, ERASED)
