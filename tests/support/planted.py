"""People whose names can be searched for, some of whom ask to be erased."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support import lethe
from tests.support.erasure import asked, order, rows, states, subscribed
from tests.support.waiting import wait_until
from workers.settings import Settings

PEOPLE = 40
ERASED = 20
TABLES = ("subjects", "shipments", "contacts", "consents", "disclosures")
EXPORT = "customers.csv"


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
