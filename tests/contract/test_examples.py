"""Every example is a test: what we show to people must be true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from schemas import registry
from schemas.registry import EventSpec
from tests.contract.contracts import (
    ALL_EXAMPLES,
    EXAMPLE_NAMES,
    EXAMPLES,
    ORDERS,
    SPECS,
    examples_of,
    load,
    validator,
)

each_example = pytest.mark.parametrize(("spec", "path"), ALL_EXAMPLES, ids=EXAMPLE_NAMES)


@each_example
def test_an_example_fits_its_model(spec: EventSpec, path: Path) -> None:
    registry.decode_data(spec, path.read_bytes())


@each_example
def test_an_example_fits_both_schemas(spec: EventSpec, path: Path) -> None:
    data = load(path)
    validator(spec, "producer").validate(data)
    validator(spec, "reader").validate(data)


@each_example
def test_an_example_survives_reading_and_writing(spec: EventSpec, path: Path) -> None:
    model = registry.decode_data(spec, path.read_bytes())
    written = registry.encode(model)
    assert registry.decode_data(spec, written) == model
    validator(spec, "producer").validate(json.loads(written))


@each_example
def test_a_reader_ignores_a_field_that_it_does_not_know(spec: EventSpec, path: Path) -> None:
    data = load(path)
    known = registry.decode_data(spec, path.read_bytes())
    data["loyalty_tier"] = "gold"
    assert registry.decode_data(spec, json.dumps(data).encode()) == known
    assert validator(spec, "reader").is_valid(data)
    assert not validator(spec, "producer").is_valid(data)


def test_the_producer_schema_is_closed_in_nested_objects_too() -> None:
    spec = registry.EVENTS["order.placed", 1]
    data = load(EXAMPLES / "order.placed/v1/germany_packstation.json")
    data["ship_to"]["birthday"] = "1990-01-01"
    assert validator(spec, "reader").is_valid(data)
    assert not validator(spec, "producer").is_valid(data)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.type)
def test_every_event_has_at_least_three_examples(spec: EventSpec) -> None:
    assert len(examples_of(spec)) >= 3


def test_no_example_belongs_to_nothing() -> None:
    found = {path for path in EXAMPLES.rglob("*.json") if path.parent.name != "invalid"}
    assert found == {path for _, path in ALL_EXAMPLES}


def test_the_orders_come_from_many_countries_and_scripts() -> None:
    orders = [load(path) for spec in ORDERS for path in examples_of(spec)]
    homes = [order["ship_to"] for order in orders if "ship_to" in order]
    assert len({home["country_code"] for home in homes}) >= 10
    for script in (r"[\u0370-\u03ff]", r"[\u0600-\u06ff]", r"[\u0900-\u097f]", r"[\u4e00-\u9fff]"):
        assert any(re.search(script, home["name"]) for home in homes)


def test_examples_are_invented_people() -> None:
    for _, path in ALL_EXAMPLES:
        for domain in re.findall(r"@([a-z0-9.-]+)", path.read_text("utf-8")):
            assert re.fullmatch(r"(.+\.)?example\.(com|net|org)", domain), path.name
