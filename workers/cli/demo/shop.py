"""The shop's own systems, stores downstream of Lethe: a PostgreSQL database, a folder of exports, a compacted topic.

Each holds the same customers, so that what an erasure leaves can be compared with what there was.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from workers.cli.demo import shop_database, shop_exports, shop_parcels
from workers.cli.demo.people import Customer, Person
from workers.settings import Settings

MODULES: Final = (shop_database, shop_exports, shop_parcels)
_SPARE: Final = "-"


class Row(NamedTuple):
    """Something that a store holds: where, whose by the store's own account (None: nobody's), and all of it."""

    store: str
    part: str
    reference: str | None
    content: str


class Shop:
    """The three stores, filled. `data_dir` is the platform's."""

    def __init__(self, settings: Settings, data_dir: Path) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._owners: dict[str, str] = {}

    async def open(self, customers: Sequence[Customer]) -> None:
        """Make and fill all three."""
        self._owners = {number: one.person.reference for one in customers for number in one.orders}
        await shop_database.fill(self._settings, folder(self._data_dir), customers)
        shop_exports.fill(folder(self._data_dir), customers)
        await shop_parcels.fill(self._settings, customers)

    async def rows(self) -> list[Row]:
        """All that they hold now, each in its own order."""
        return [
            *(Row(shop_database.STORE, *row) for row in await shop_database.rows(self._settings)),
            *(Row(shop_exports.STORE, *row) for row in shop_exports.rows(folder(self._data_dir))),
            *(Row(shop_parcels.STORE, *row) for row in await shop_parcels.rows(self._settings, self._owners)),
        ]


def folder(data_dir: Path) -> Path:
    """Where the shop keeps its files, and its stores are described."""
    return data_dir / "shop"


def describe(data_dir: Path, stores_dir: Path) -> None:
    """Write the stores' files, as `deploy/stores` has them, before the workers start."""
    stores_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder(data_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
    for module in MODULES:
        described = module.description(folder(data_dir))
        (stores_dir / f"{module.STORE}.yaml").write_text(yaml.safe_dump(described, sort_keys=False))


def customers(orders: Mapping[str, Mapping[str, Any]], others: Iterable[Customer], most: int) -> list[Customer]:
    """At most so many of the people who placed these orders, and `others`."""
    people: dict[str, Person] = {}
    numbers: dict[str, list[str]] = {}
    for number, body in orders.items():
        ship_to, reference = body["ship_to"], body["customer_ref"]
        if len(people) == most and reference not in people:
            continue
        people.setdefault(
            reference,
            Person(
                reference, ship_to["name"], ship_to["lines"][0], ship_to.get("postal_code", _SPARE), ship_to["city"],
                ship_to.get("email", f"{reference}@example.net"), ship_to.get("phone", _SPARE),
            ),
        )  # fmt: skip
        numbers.setdefault(reference, []).append(number)
    return [*(Customer(person, tuple(numbers[reference])) for reference, person in people.items()), *others]
