"""Streets, names and phone patterns of the countries that sample orders go to: `places.yaml`."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

import yaml


class Place(NamedTuple):
    """One street; `{n}` in it is the house number. What the country's addresses lack is empty."""

    street: str
    postal_code: str
    city: str
    region: str
    district: str


class Country(NamedTuple):
    """`phone` takes three digits `d`; `seconds` are further street lines; `carriers` are the usual ones."""

    firsts: tuple[str, ...]
    lasts: tuple[str, ...]
    phone: str
    seconds: tuple[str, ...]
    places: tuple[Place, ...]
    carriers: tuple[str, ...]


@cache
def load() -> Mapping[str, Country]:
    """The countries by alpha-2 code."""
    text = (resources.files("workers.cli.samples") / "places.yaml").read_text("utf-8")
    return {
        code: Country(
            firsts=_names(entry["first"]),
            lasts=_names(entry["last"]),
            phone=entry["phone"],
            seconds=tuple(entry["seconds"]),
            places=tuple(_place(line) for line in entry["places"]),
            carriers=tuple(entry["carriers"]),
        )
        for code, entry in yaml.safe_load(text).items()
    }


def _names(words: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in words.split())


def _place(line: str) -> Place:
    return Place(*(part.strip() for part in line.split("|")))
