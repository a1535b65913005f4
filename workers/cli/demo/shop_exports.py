"""The shop's exports: a CSV file for the accountant, and what people did as JSON lines."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from workers.cli.demo.people import Customer

STORE: Final = "exports"
_CUSTOMERS: Final = "customers.csv"
_EVENTS: Final = "events.jsonl"
_HEAD: Final = ("Ref", "Name", "Street", "E-mail", "Phone")


def description(folder: Path) -> dict[str, Any]:
    """The store's file."""
    return {
        "name": STORE, "title": "Exports of the shop", "kind": "folder", "identifiers": ["email"],
        "backups_kept_days": 0,
        "options": {
            "path": str(folder / STORE),
            "files": [
                {"what": "customers", "glob": "*.csv", "format": "csv", "delimiter": ";", "keys": {"email": "E-mail"}},
                {"what": "events", "glob": "*.jsonl", "format": "jsonl", "keys": {"email": "user.email"}},
            ],
        },
    }  # fmt: skip


def fill(folder: Path, customers: "Sequence[Customer]") -> None:
    """Write both files."""
    (folder / STORE).mkdir(mode=0o700, exist_ok=True)
    with (folder / STORE / _CUSTOMERS).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(_HEAD)
        writer.writerows((p.reference, p.name, p.street, p.email, p.phone) for p, _ in customers)
    with (folder / STORE / _EVENTS).open("w", encoding="utf-8") as file:
        for person, orders in customers:
            user = {"ref": person.reference, "name": person.name, "email": person.email}
            for order in orders:
                file.write(json.dumps({"event": "ordered", "order": order, "user": user}) + "\n")


def rows(folder: Path) -> Iterator[tuple[str, str | None, str]]:
    """File, whose, the line."""
    with (folder / STORE / _CUSTOMERS).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter=";"):
            yield _CUSTOMERS, row["Ref"], ";".join(row.values())
    for line in (folder / STORE / _EVENTS).read_text("utf-8").splitlines():
        yield _EVENTS, json.loads(line)["user"]["ref"], line
