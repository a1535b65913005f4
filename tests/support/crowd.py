"""Two hundred people with names that can be searched for in every field, half of whom ask to be erased.

Letters beyond ASCII stand in names, streets and some addresses, composed for some people and decomposed for others, so
that what is searched has several forms on the disk (Unicode annex 15).
"""

import json
import unicodedata
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.erasure import asked, headers, subscribed
from tests.support.orders import Published

PEOPLE = 200
ERASED = 100
CUSTOMERS = "customers.csv"
NOTES = "notes.jsonl"
_COLUMNS = ("ref", "email", "name", "street", "phone")


class Person(NamedTuple):
    """Somebody whose every field holds a token of theirs alone."""

    number: int

    @property
    def word(self) -> str:
        """In the name and the street, and in the address of every fourth person."""
        return unicodedata.normalize("NFD" if self.number % 2 else "NFC", f"Pläntéd{self.number:04d}øx")

    @property
    def tag(self) -> str:
        """In the customer reference, and in the other addresses."""
        return f"planted{self.number:04d}x"

    @property
    def phone(self) -> str:
        """French."""
        return f"+33 6 {self.number // 100:02d} {self.number % 100:02d} 73 91"

    @property
    def tokens(self) -> tuple[str, str, str]:
        """All that they can be found by."""
        return self.word, self.tag, self.phone

    @property
    def reference(self) -> str:
        """The shop's."""
        return f"ref-{self.tag}"

    @property
    def email(self) -> str:
        """Every fourth has letters beyond ASCII in it (RFC 6532)."""
        return f"{self.word.lower() if self.number % 4 == 0 else self.tag}@example.org"

    def ship_to(self, moved: bool = False) -> dict[str, Any]:
        """Where they live; `moved`: where they have moved to."""
        return {
            "name": f"Zoë {self.word}", "lines": [f"{7 + moved} rue {self.word}"], "city": "Besançon",
            "postal_code": "25000", "country_code": "FR", "email": self.email, "phone": self.phone,
        }  # fmt: skip

    def row(self) -> str:
        """Their line in the shop's export."""
        return ",".join((self.reference, self.email, f"Zoë {self.word}", f"7 rue {self.word}", self.phone))

    def note(self) -> str:
        """Their line in the shop's notes, JSON-escaped."""
        return json.dumps({"person": {"ref": self.reference, "mail": self.email}, "note": f"rings at {self.word}"})


def people(start: int = 0, end: int = PEOPLE) -> list[Person]:
    """Some of them."""
    return [Person(number) for number in range(start, end)]


def orders(person: Person) -> Iterator[Published]:
    """One order each; some have a second at another carrier, a third that waits, have moved, or cannot be applied."""
    n, then = person.number, datetime.now(UTC) - timedelta(minutes=5)

    def event(kind: str, order: str, **data: object) -> Published:
        body = {"order_id": f"o-{n}{order}", "customer_ref": person.reference, **data}
        return Published(person.reference.encode(), headers(kind, then), json.dumps(body).encode())

    def placed(order: str, carrier: str, **more: object) -> Published:
        return event("order.placed", order, carrier=carrier, contact_consent=True, ship_to=person.ship_to(), **more)

    yield placed("", "gls")
    if n % 5 == 0:
        yield placed("-b", "dhl-express")
    if n % 10 == 0:
        yield placed("-c", "gls", wait_for_ready=True)
    if n % 7 == 0:
        to = {"carrier": "dhl-express"} if n % 2 else {}
        yield event("order.address_changed", "", ship_to=person.ship_to(moved=True), **to)
    if n % 11 == 0:  # refused by its contract
        yield event("order.placed", "-d", carrier="gls", ship_to={"name": f"Zoë {person.word}"})
    if n % 13 == 0:  # refused by the shipping rules
        yield event("order.address_changed", "-unknown", ship_to=person.ship_to(moved=True))


def subscribers() -> list[Person]:
    """Every third."""
    return [one for one in people() if one.number % 3 == 0]


def subscriptions() -> list[Published]:
    """In force at once."""
    return [subscribed(one.reference, one.email) for one in subscribers()]


def requests(persons: Sequence[Person]) -> list[tuple[uuid.UUID, Published]]:
    """By reference, by address, by both in turn."""
    ways = ((True, True), (True, False), (False, True))
    return [
        asked(one.reference if by_reference else None, one.email if by_email else None)
        for one in persons
        for by_reference, by_email in [ways[one.number % 3]]
    ]


def export(folder: Path) -> None:
    """A line for each in both files."""
    lines = [",".join(_COLUMNS), *(one.row() for one in people())]
    (folder / CUSTOMERS).write_text("\n".join(lines) + "\n")
    (folder / NOTES).write_text("".join(one.note() + "\n" for one in people()))


def notes_store(folder: Path) -> dict[str, Any]:
    """The store that the notes are, as its file describes it."""
    files = {
        "what": "notes", "glob": NOTES, "format": "jsonl",
        "keys": {"email": "person.mail", "customer_ref": "person.ref"},
    }  # fmt: skip
    return {
        "name": "notes", "title": "Notes", "kind": "folder", "identifiers": ["email", "customer_ref"],
        "respond_within_s": 20, "backups_kept_days": 30, "options": {"path": str(folder), "files": [files]},
    }  # fmt: skip
