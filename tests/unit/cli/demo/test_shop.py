"""The demo's stores: their files are such as `deploy/stores` has, and their rows say whose they are."""

from pathlib import Path

from tests.support.stores import AROUND
from workers.cli.demo import shop, shop_exports
from workers.cli.demo.people import ASKING, NEIGHBOUR, Customer
from workers.stores import connectors, directory


def order(reference: str, **ship_to: object) -> dict[str, object]:
    return {"customer_ref": reference, "ship_to": {"name": "A", "lines": ["1 Street"], "city": "Paris", **ship_to}}


def test_the_stores_files_can_be_used_as_they_are(tmp_path: Path) -> None:
    shop.describe(tmp_path, tmp_path / "stores")
    (tmp_path / "keyring").mkdir()
    directory.create_keys(tmp_path / "stores", tmp_path / "keyring")
    stores = directory.load(tmp_path / "stores", tmp_path / "keyring")
    assert {name: store.kind for name, store in stores.items()} == {
        "exports": "folder", "parcels": "kafka", "webshop": "postgresql",
    }  # fmt: skip
    for store in stores.values():
        connectors.connect(store, AROUND)


def test_who_ordered_twice_is_one_customer_with_two_orders() -> None:
    orders = {"1": order("a", email="a@example.org"), "2": order("b"), "3": order("a"), "4": order("c")}
    found = shop.customers(orders, [Customer(ASKING, ("N-1",))], 2)
    assert [(one.person.reference, one.orders) for one in found] == [
        ("a", ("1", "3")), ("b", ("2",)), (ASKING.reference, ("N-1",)),
    ]  # fmt: skip


def test_every_line_of_the_exports_is_somebodys(tmp_path: Path) -> None:
    customers = [Customer(ASKING, ("N-1", "N-2")), Customer(NEIGHBOUR, ("N-3",))]
    shop_exports.fill(tmp_path, customers)
    rows = list(shop_exports.rows(tmp_path))
    assert [(part, reference) for part, reference, _ in rows] == [
        ("customers.csv", ASKING.reference), ("customers.csv", NEIGHBOUR.reference),
        ("events.jsonl", ASKING.reference), ("events.jsonl", ASKING.reference), ("events.jsonl", NEIGHBOUR.reference),
    ]  # fmt: skip
    assert rows[0][2].split(";") == [ASKING.reference, ASKING.name, ASKING.street, ASKING.email, ASKING.phone]
