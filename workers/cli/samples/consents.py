"""Invented people who agreed to mail, as the events of a shop that has asked and confirmed them itself."""

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from workers.cli.samples import places
from workers.cli.samples.events import SampleEvent, event
from workers.cli.samples.homes import login

TOPIC: Final = "consents"
_LANGUAGES: Final = {"FR": "fr", "BE": "fr"}
_CONFIRMED_AFTER: Final = timedelta(minutes=5)
_WORDING: Final = "Yes, write to me once a week. I can end it in every mail."


class Reader(NamedTuple):
    """One person. The number in `email` makes it their own."""

    customer_ref: str
    email: str
    language: str


def readers(count: int, seed: int) -> list[Reader]:
    """So many people, all different; the same seed makes the same ones."""
    rng, known = random.Random(seed), places.load()  # noqa: S311  (repeatable, no secret)
    countries = list(known)
    made = []
    for number in range(count):
        code = rng.choice(countries)
        name = login(rng.choice(known[code].firsts), rng.choice(known[code].lasts))
        email = f"{name}.{number}@example.{rng.choice(('com', 'org', 'net'))}"
        made.append(Reader(f"r{seed}-{number:06d}", email, _LANGUAGES.get(code, "en")))
    return made


def consents(people: list[Reader], purpose: str, privacy_notice: str, at: datetime) -> Iterator[SampleEvent]:
    """`consent.given` of each, with a double opt-in of the shop's own. `at` must have a zone."""
    evidence = {"wording": _WORDING, "location": "https://shop.example/checkout"}
    for one in people:
        data = {
            "customer_ref": one.customer_ref, "email": one.email, "purpose": purpose,
            "privacy_notice": privacy_notice, "language": one.language, "collection_method": "checkout",
            "evidence": evidence,
            "double_opt_in": {"confirmed_at": (at + _CONFIRMED_AFTER).isoformat(), "evidence": evidence},
        }  # fmt: skip
        yield event("consent.given", f"{one.customer_ref}:given", one.customer_ref, at, json.dumps(data), TOPIC)
