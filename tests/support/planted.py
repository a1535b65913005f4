"""People whose names can be searched for, some of whom ask to be erased."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from deploy.local import ports
from tests.support import lethe
from tests.support.endpoints import Endpoints
from tests.support.erasure import asked, order, rows, states, subscribed
from tests.support.waiting import wait_until
from workers.settings import Settings

PEOPLE = 40
ERASED = 20
TABLES = ("subjects", "shipments", "contacts", "consents", "disclosures")
EXPORT = "customers.csv"


def prepare(stack: Endpoints, prefix: str, database: str, tmp_path: Path, **chosen: object) -> Settings:
    """A prepared Lethe with one store downstream: a folder with a line per customer. `chosen` are further settings."""
    exports, stores = tmp_path / "exports", tmp_path / "stores"
    for folder in (exports, stores):
        folder.mkdir()
    keys = {"email": "email", "customer_ref": "ref"}
    head = {
        "name": "exports",
        "title": "Exports",
        "kind": "folder",
        "identifiers": ["email", "customer_ref"],
        "respond_within_s": 20,
        "backups_kept_days": 30,
        "options": {
            "path": str(exports),
            "files": [{"what": "customers", "glob": EXPORT, "format": "csv", "keys": keys}],
        },
    }
    (stores / "exports.yaml").write_text(yaml.safe_dump(head))
    common: dict[str, object] = {"orders_in_flight": "cancel", "erasure_poll_s": 0.1, "segment_ms": 1000}
    return lethe.prepare(
        stack, prefix, database, tmp_path, stores_dir=stores, sink_dir=tmp_path / "mails",
        smtp_port=ports.choose(1)[0], **{**common, **chosen},
    )  # fmt: skip


def name(number: int) -> str:
    return f"Planted{number:04d}x"


def email(number: int) -> str:
    return f"planted{number:04d}x@example.org"


def counts(settings: Settings) -> dict[str, int]:
    return {table: rows(settings, f"select count(*) as n from {table}")[0]["n"] for table in TABLES}


def populate(settings: Settings, tmp_path: Path) -> None:
    """Everybody orders once, subscribes, and stands in the export."""
    earlier = datetime.now(UTC) - timedelta(minutes=5)
    lethe.publish(settings, [order(f"c-{n}", f"o-{n}", name(n), email(n), earlier) for n in range(PEOPLE)])
    lethe.publish(settings, [subscribed(f"c-{n}", email(n)) for n in range(PEOPLE)], "consents")
    lines = ["ref,email,note", *(f"c-{n},{email(n)},hello" for n in range(PEOPLE))]
    (tmp_path / "exports" / EXPORT).write_text("\n".join(lines) + "\n")
    wait_until(
        lambda: counts(settings)["contacts"] == PEOPLE == counts(settings)["shipments"],
        60,
        lambda: str(counts(settings)),
    )


def ask(settings: Settings, numbers: Sequence[int]) -> list[uuid.UUID]:
    """Half by reference alone, half by reference and address."""
    requests = [asked(f"c-{n}", email(n) if n % 2 else None) for n in numbers]
    lethe.publish(settings, [event for _, event in requests], "requests")
    return [number for number, _ in requests]


def wait_for(settings: Settings, numbers: Sequence[uuid.UUID], state: str) -> None:
    wait_until(
        lambda: list(states(settings, numbers).values()) == [state] * len(numbers),
        120,
        lambda: f"{state}: {states(settings, numbers)}",
    )
