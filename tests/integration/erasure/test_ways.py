"""What may happen to a request before it is done: a parcel on its way, a second thought, a second request, a store
that fails or lies."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from tests.support import lethe
from tests.support.erasure import asked, cancelled, headers, order, rows, states
from tests.support.orders import Published
from tests.support.planted import EXPORT
from tests.support.waiting import wait_until
from tests.support.worker_process import worker_process
from workers.cli.app import app
from workers.cli.local import environment
from workers.settings import Settings

WORKERS = ("shipping", "relay", "stores", "requests")
EMAIL = "planted0001x@example.org"


def place(settings: Settings, order_id: str = "o-1", reference: str = "c-1") -> None:
    lethe.publish(settings, [order(reference, order_id, "Planted", EMAIL, datetime.now(UTC) - timedelta(minutes=5))])
    wait_until(
        lambda: rows(settings, "select 1 from shipments where shipment_id = $1", order_id), 60, lambda: "no shipment"
    )


def becomes(settings: Settings, number: uuid.UUID, state: str) -> None:
    wait_until(
        lambda: states(settings, [number]).get(number) == state, 90, lambda: f"{state}: {states(settings, [number])}"
    )


def publish(settings: Settings, *events: Published) -> None:
    lethe.publish(settings, events, "requests")


def delivered(order_id: str, reference: str) -> Published:
    body = json.dumps({"order_id": order_id, "customer_ref": reference}).encode()
    return Published(reference.encode(), headers("order.delivered"), body)


def export(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "exports" / EXPORT
    file.write_text("\n".join(["ref,email", *lines]) + "\n")
    return file


def test_an_erasure_waits_for_the_parcel_and_can_be_taken_back_meanwhile(settings: Settings, tmp_path: Path) -> None:
    waiting = settings.model_copy(update={"orders_in_flight": "wait"})
    with worker_process(waiting, WORKERS):
        place(waiting)
        first, event = asked("c-1", EMAIL)
        publish(waiting, event)
        becomes(waiting, first, "on_hold")
        assert rows(waiting, "select fenced_at from subjects where fenced_at is not null") == []
        publish(waiting, cancelled(first))
        becomes(waiting, first, "cancelled")

        second, event = asked("c-1", EMAIL)
        publish(waiting, event)
        becomes(waiting, second, "on_hold")
        lethe.publish(waiting, [delivered("o-1", "c-1")])
        becomes(waiting, second, "completed")
        assert rows(waiting, "select 1 from shipments") == []


def test_a_step_may_take_longer_than_the_eraser_s_session_may_be_idle(settings: Settings, tmp_path: Path) -> None:
    impatient = settings.model_copy(update={"session_timeout_s": 1.0})  # one look at the carriers' topics takes longer
    export(tmp_path, f"c-1,{EMAIL}")
    with worker_process(impatient, WORKERS):
        place(impatient)
        number, event = asked("c-1", EMAIL)
        publish(impatient, event)
        becomes(impatient, number, "completed")


def test_a_second_request_joins_the_open_one_and_ends_with_it_unless_it_says_more(
    settings: Settings, tmp_path: Path
) -> None:
    """By the address that it names besides, a request may mean people that the open one does not."""
    waiting = settings.model_copy(update={"orders_in_flight": "wait"})
    other = "planted0002x@example.org"
    with worker_process(waiting, WORKERS):
        place(waiting)
        lethe.publish(waiting, [order("c-2", "o-2", "Planted", other)])
        (first, one), (second, two), (third, three) = asked("c-1", EMAIL), asked("c-1"), asked("c-1", other)
        publish(waiting, one)
        becomes(waiting, first, "on_hold")
        publish(waiting, two, three)
        wait_until(lambda: len(states(waiting, [second, third])) == 2, 60, "not taken in")
        joined = "select joined from requests where request_id = any($1::uuid[]) order by joined nulls last"
        assert [row["joined"] for row in rows(waiting, joined, [second, third])] == [first, None]
        lethe.publish(waiting, [delivered("o-1", "c-1"), delivered("o-2", "c-2")])
        for number in (first, second, third):
            becomes(waiting, number, "completed")
        assert rows(waiting, "select count(*) as n from certificates")[0]["n"] == 2
        assert rows(waiting, "select 1 from shipments") == []


def test_a_store_that_fails_holds_back_only_its_own_receipt(settings: Settings, tmp_path: Path) -> None:
    stores = settings.stores_dir
    broken = yaml.safe_load((stores / "exports.yaml").read_text()) | {"name": "broken", "respond_within_s": 1}
    broken["options"]["path"] = str(tmp_path / "nowhere")
    (stores / "broken.yaml").write_text(yaml.safe_dump(broken))
    _migrate(settings)
    file = export(tmp_path, f"c-1,{EMAIL}", "c-2,other@example.org")
    with worker_process(settings, WORKERS):
        place(settings)
        number, event = asked("c-1", EMAIL)
        publish(settings, event)
        becomes(settings, number, "waiting_for_store")
        wait_until(
            lambda: rows(settings, "select state from request_stores where store = 'exports'")[0]["state"] == "absent",
            60,
            lambda: str(rows(settings, "select store, state, reason from request_stores")),
        )
        assert file.read_text().splitlines() == ["ref,email", "c-2,other@example.org"]
        assert rows(settings, "select 1 from certificates") == []
        (tmp_path / "nowhere").mkdir()
        becomes(settings, number, "completed")


def test_a_store_that_is_silent_until_the_deadline_makes_the_certificate_partial(
    settings: Settings, tmp_path: Path
) -> None:
    export(tmp_path, f"c-1,{EMAIL}")
    with worker_process(settings, ("shipping", "relay", "requests")):  # nobody works for the stores
        place(settings)
        number, event = asked("c-1", EMAIL)
        publish(settings, event)
        becomes(settings, number, "waiting_for_store")
        rows(settings, "update requests set due_at = now() returning 1")
        becomes(settings, number, "partly_completed")
        (document,) = (json.loads(row["document"]) for row in rows(settings, "select document from certificates"))
        assert document["outcome"] == "partly_completed"
        assert document["stores"][0]["verified_absent_at"] is None
        assert document["stores"][0]["not_confirmed"]

        result = run(settings, "requests", "retry", str(number)[:8])
        assert "exports" in result
    with worker_process(settings, WORKERS):
        becomes(settings, number, "completed")
        outcomes = [row["outcome"] for row in rows(settings, "select outcome from certificates order by sequence")]
        assert outcomes == ["partly_completed", "completed"]
        assert "1 certificates looked at" not in run(settings, "certificate", "verify", "--chain")


def test_a_store_that_is_disabled_or_cannot_find_the_person_is_named_not_left_out(
    settings: Settings, tmp_path: Path
) -> None:
    export(tmp_path, f"c-1,{EMAIL}")
    given = yaml.safe_load((settings.stores_dir / "exports.yaml").read_text())
    (settings.stores_dir / "off.yaml").write_text(yaml.safe_dump(given | {"name": "off", "enabled": False}))
    (settings.stores_dir / "blind.yaml").write_text(
        yaml.safe_dump(given | {"name": "blind", "identifiers": ["customer_ref"]})
    )
    _migrate(settings)
    with worker_process(settings, WORKERS):
        place(settings)
        number, event = asked(None, EMAIL)
        publish(settings, event)
        becomes(settings, number, "waiting_for_store")
        one = "select state from request_stores where store = 'exports'"
        wait_until(lambda: rows(settings, one)[0]["state"] == "absent", 60, lambda: str(rows(settings, one)))
        rows(settings, "update requests set due_at = now() returning 1")
        becomes(settings, number, "partly_completed")
        (document,) = (json.loads(row["document"]) for row in rows(settings, "select document from certificates"))
        unconfirmed = [store["not_confirmed"] for store in document["stores"] if store["not_confirmed"]]
        assert len(unconfirmed) == 2
        assert "the request says nothing that this store finds people by" in unconfirmed

        assert "blind" in run(settings, "requests", "retry", str(number)[:8])
        one = "select state from request_stores where store = 'blind'"
        wait_until(lambda: rows(settings, one)[0]["state"] != "to_erase", 60, lambda: "not looked at")
        assert rows(settings, one)[0]["state"] == "unconfirmed", "asked by nothing, it would find nothing"


def test_staff_open_show_hold_and_refuse(settings: Settings, tmp_path: Path) -> None:
    place_ = "select request_id, state from requests"
    opened = run(settings, "requests", "new", "--email", EMAIL, "--because", "a letter").strip()
    assert EMAIL not in run(settings, "requests", "ls") + run(settings, "requests", "show", opened[:8])
    run(settings, "requests", "hold", opened[:8], "--because", "a claim is open")
    assert rows(settings, place_)[0]["state"] == "on_hold"
    run(settings, "requests", "refuse", opened[:8], "--reason", "claim_not_covered", "--because", "invoice")
    assert rows(settings, place_)[0]["state"] == "refused"
    assert rows(settings, "select template from mails")[0]["template"] == "request_refused"
    with pytest.raises(AssertionError, match="cannot"):
        run(settings, "requests", "verify", opened[:8], "--because", "too late")


def run(settings: Settings, *arguments: str) -> str:
    """A command's output. Raises AssertionError with it where it fails."""
    result = CliRunner().invoke(app, list(arguments), env=environment.for_child(settings, lethe.ROOT))
    assert result.exit_code == 0, result.output
    return result.output


def _migrate(settings: Settings) -> None:
    from workers.cli import migrate

    lethe.in_a_loop(migrate.prepare(settings, lambda line: None))
