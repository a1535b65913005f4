"""Invented people at real addresses, each with the carriers that take the address."""

import json
import random
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from schemas.recipient import Recipient
from workers import errors
from workers.cli.samples import places
from workers.domain import projection
from workers.domain.carriers import Carrier

HOMES_PER_COUNTRY: Final = 60


class Home(NamedTuple):
    """Somebody's `ship_to` as JSON, and the names of the carriers that take it."""

    ship_to: str
    carriers: tuple[str, ...]


def homes(rng: random.Random, carriers: Mapping[str, Carrier], countries: Collection[str] = ()) -> list[Home]:
    """Some homes in each of `countries` (none given: all known), shuffled.

    Raises `errors.UsageError` if no home is left that a carrier takes.
    """
    known = places.load()
    made = [
        _home(_recipient(rng, code, known[code]), known[code], carriers)
        for code in (countries or known)
        for _ in range(HOMES_PER_COUNTRY)
    ]
    taken = [home for home in made if home.carriers]
    if not taken:
        raise errors.UsageError("no carrier takes an address in these countries: name other carriers or countries")
    rng.shuffle(taken)
    return taken


def _home(ship_to: dict[str, Any], country: places.Country, carriers: Mapping[str, Carrier]) -> Home:
    text = json.dumps(ship_to, ensure_ascii=False, separators=(",", ":"))
    recipient = Recipient.model_validate_json(text)
    taking = [name for name, carrier in carriers.items() if takes(carrier, recipient)]
    usual = [name for name in country.carriers if name in taking]
    return Home(text, tuple(usual or taking))


def takes(carrier: Carrier, recipient: Recipient) -> bool:
    """Whether the carrier delivers there, as its file says."""
    try:
        projection.project(recipient, carrier, consent=True)
    except errors.Refused:
        return False
    return True


def _recipient(rng: random.Random, code: str, country: places.Country) -> dict[str, Any]:
    first, last = rng.choice(country.firsts), rng.choice(country.lasts)
    place = rng.choice(country.places)
    ship_to = {
        "name": f"{first} {last}",
        "company": f"{last} & Co." if rng.random() < 0.12 else "",
        "lines": _lines(rng, place.street.format(n=rng.randint(1, 199)), country.seconds),
        "city": place.city,
        "dependent_locality": place.district,
        "region": place.region,
        "postal_code": place.postal_code,
        "country_code": code,
        "phone": country.phone.format(d=f"{rng.randrange(1000):03d}") if rng.random() < 0.9 else "",
        "email": f"{login(first, last)}{rng.randint(1, 99)}@example.{rng.choice(('com', 'org', 'net'))}",
    }
    return {field: value for field, value in ship_to.items() if value}


def _lines(rng: random.Random, street: str, seconds: tuple[str, ...]) -> list[str]:
    chance = rng.random()
    if chance < 0.25:
        return [street, rng.choice(seconds)]
    if chance < 0.32:  # everything in one line, as forms with one box make people do
        return [", ".join((street, *seconds[:2]))]
    return [street]


def login(first: str, last: str) -> str:
    """The part before the @ of an invented person's address: ASCII."""
    decomposed = unicodedata.normalize("NFKD", f"{first}.{last}".lower())
    plain = "".join(letter for letter in decomposed if letter == "." or (letter.isascii() and letter.isalpha()))
    return plain.strip(".") or "kunde"
