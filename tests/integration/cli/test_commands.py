"""The commands against real Kafka and PostgreSQL: a file becomes addresses; refused events are looked after."""

import json
import os
import pwd
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from tests.support import lethe, waiting
from tests.support.endpoints import Endpoints
from tests.support.worker_process import WorkerProcess, worker_process
from workers.cli import app
from workers.cli.local import environment
from workers.settings import Settings


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A fresh Lethe, found by commands through the environment."""
    settings = lethe.prepare(stack, prefix, database, tmp_path)
    for name, value in environment.variables(settings).items():
        monkeypatch.setenv(name, value)
    return settings


@pytest.fixture
def worker(settings: Settings) -> Iterator[WorkerProcess]:
    """A shipping worker and a relay."""
    with worker_process(settings, ("shipping", "relay")) as process:
        yield process


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app.app, list(arguments), input=answer)


def event(number: int, **data: Any) -> str:
    ship_to = {
        "name": "Erika Beispiel",
        "lines": ["Hauptstraße 12"],
        "city": "Köln",
        "postal_code": "50667",
        "country_code": "DE",
        "email": "erika@example.com",
    }
    body = {"order_id": f"o{number}", "customer_ref": f"c{number}", "carrier": "ups", "ship_to": ship_to, **data}
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"e{number}",
            "source": "/shop",
            "type": "order.placed",
            "time": datetime.now(UTC).isoformat(),
            "data": body,
        }
    )


def letters(*filters: str) -> list[dict[str, Any]]:
    result = run("dlq", "ls", "--json", *filters)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_file_becomes_addresses_and_refused_events_are_looked_after(
    settings: Settings, worker: WorkerProcess, tmp_path: Path
) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text("\n".join(event(number) for number in range(10)) + "\n")
    assert (
        run("publish", str(file)).stdout == f"10 events were published to {settings.topic('orders')} and acknowledged\n"
    )
    assert run("publish", str(file)).exit_code == 0
    _publish_unchecked(settings, event(20, carrier="pigeon-post"), event(21, note="4111 1111 1111 1111"))
    lethe.wait_drained(settings)

    assert sorted(one.shipment_id for one in lethe.read_carriers(settings, ["ups"])) == [f"o{n}" for n in range(10)]
    unknown, card = letters("--code", "unknown_carrier"), letters("--code", "card_data")
    assert len(letters()) == 2
    assert (unknown[0]["body_kept"], card[0]["body_kept"]) == (True, False)

    _show(settings, unknown[0], card[0])
    _replay(settings, worker, unknown[0], card[0])
    _drop(card[0])


def _publish_unchecked(settings: Settings, *events: str) -> None:
    """As an upstream does that did not validate."""
    from workers.cli.events import upstream

    header = [("content-type", b"application/cloudevents+json")]
    records = [
        upstream.Outgoing(json.loads(one)["data"]["customer_ref"].encode(), header, one.encode()) for one in events
    ]
    lethe.in_a_loop(upstream.publish(settings, settings.topic("orders"), records))


def disclosures(settings: Settings) -> list[tuple[Any, ...]]:
    async def read() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
        rows = await connection.fetch("select dead_letter_id::text, recipient, ground, fields from staff_disclosures")
        await connection.close()
        return [tuple(row) for row in rows]

    return lethe.in_a_loop(read())


def _show(settings: Settings, unknown: dict[str, Any], card: dict[str, Any]) -> None:
    metadata = run("dlq", "show", unknown["dead_letter_id"][:8])
    assert "unknown_carrier" in metadata.stdout
    assert "Erika" not in metadata.output
    assert disclosures(settings) == []
    opened = run("dlq", "show", unknown["dead_letter_id"][:8], "--body", "--ground", "security")
    assert "Erika Beispiel" in opened.stdout
    assert "disclosure" in opened.stderr
    person = pwd.getpwuid(os.getuid()).pw_name
    ((letter, who, ground, fields),) = disclosures(settings)
    assert (letter, ground, fields) == (unknown["dead_letter_id"], "security", "the whole event")
    assert person in who
    wrong = run("dlq", "show", unknown["dead_letter_id"][:8], "--body", "--ground", "curiosity")
    assert wrong.exit_code == 1
    assert "Erika" not in wrong.output
    refused = run("dlq", "show", card["dead_letter_id"][:8], "--body")
    assert refused.exit_code == 1
    assert "card data is never kept" in refused.stderr
    assert len(disclosures(settings)) == 1, "what was not shown is not in the ledger"


def _replay(settings: Settings, worker: WorkerProcess, unknown: dict[str, Any], card: dict[str, Any]) -> None:
    again = run("dlq", "replay", unknown["dead_letter_id"][:8])
    assert again.exit_code == 1
    assert "parked again: this carrier is not configured" in again.stdout
    without_copy = run("dlq", "replay", card["dead_letter_id"][:8])
    assert "no copy of it was kept" in without_copy.stderr

    worker.stop()
    unserved = run("dlq", "replay", unknown["dead_letter_id"][:8], "--wait", "0.5")
    assert unserved.exit_code == 1
    assert "lethe worker shipping" in unserved.stderr

    carriers_dir = settings.keyring_dir.parent / "carriers"
    carriers_dir.mkdir()
    for file in settings.carriers_dir.glob("*.yaml"):
        (carriers_dir / file.name).write_text(file.read_text())
    ups = (carriers_dir / "ups.yaml").read_text()
    (carriers_dir / "pigeon-post.yaml").write_text(ups.replace("name: ups", "name: pigeon-post", 1))
    mended = settings.model_copy(update={"carriers_dir": carriers_dir})
    lethe.create_topics(mended)
    with worker_process(mended, ("shipping", "relay")):
        assert letters("--state", "parked") == [card]
        assert len(_wait_for(1, "replayed")) == 1
        waiting.wait_until(
            lambda: [one.shipment_id for one in lethe.read_carriers(mended, ["pigeon-post"])] == ["o20"],
            20.0,
            lambda: "the replayed order reached its carrier",
        )


def _wait_for(count: int, state: str) -> list[dict[str, Any]]:
    waiting.wait_until(lambda: len(letters("--state", state)) == count, 120.0, lambda: f"{count} {state}")
    return letters("--state", state)


def _drop(card: dict[str, Any]) -> None:
    assert run("dlq", "drop", "--all", "--yes").exit_code == 1
    unasked = run("dlq", "drop", card["dead_letter_id"][:8])
    assert unasked.exit_code == 1
    assert "--yes" in unasked.stderr
    assert run("dlq", "drop", card["dead_letter_id"][:8], "--yes").stdout == "1 dropped\n"
    assert letters() == []


def test_the_doctor_is_content_with_a_prepared_lethe(settings: Settings) -> None:
    assert run("topics", "apply", "--yes").exit_code == 0
    result = run("doctor", "--json")
    found = {one["what"]: one["state"] for one in map(json.loads, result.stdout.splitlines())}
    assert found.pop("Web port") in ("ok", "note")
    assert set(found.values()) == {"ok"}, result.stdout
    assert result.exit_code == 0


def test_the_doctor_says_what_to_do_about_each_problem(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (settings.keyring_dir / "lookup" / "event.key").chmod(0o644)
    monkeypatch.setenv("LETHE_PREFIX", f"{settings.prefix}other.")
    result = run("doctor")
    assert result.exit_code == 1
    assert "chmod -R go=" in result.stdout
    assert "lethe topics plan" in result.stdout


def test_migrate_creates_what_is_missing_once(
    stack: Endpoints, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = prefix.rstrip(".")
    monkeypatch.setenv("LETHE_DATABASE_DSN", stack.dsn(name))
    monkeypatch.setenv("LETHE_KEYRING_DIR", str(tmp_path / "keyring"))
    try:
        first, second = run("migrate"), run("migrate")
        (tmp_path / "keyring").rename(tmp_path / "elsewhere")
        without_keyring = run("migrate")
    finally:
        stack.drop_database(name)
    assert "created" in first.stdout
    assert "back it up" in first.stdout
    assert "all applied before" in second.stdout
    assert without_keyring.exit_code == 78
    assert not (tmp_path / "keyring").exists()
