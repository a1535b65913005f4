"""The contracts as a whole: documented, closed and open, generated, released."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from schemas import __main__ as command
from schemas import errors, jsonschema, registry, release
from schemas.registry import EventSpec
from tests.contract.contracts import SPECS
from workers.errors import RefusalCode

each_event = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.type)

PURPOSES = {
    "dpv:DeliveryOfGoods",
    "dpv:CustomerOrderManagement",
    "dpv:CommunicationManagement",
    "dpv:DirectMarketing",
    "dpv:LegalCompliance",
    "dpv:RecordManagement",
}
LEGAL_BASES = {"eu-gdpr:A6-1-a", "eu-gdpr:A6-1-b", "eu-gdpr:A6-1-c", "eu-gdpr:A6-1-f"}
CATEGORIES = {
    "pd:City",
    "pd:Country",
    "pd:EmailAddress",
    "pd:IPAddress",
    "pd:Name",
    "pd:PhysicalAddress",
    "pd:TelephoneNumber",
    "pd:UID",
}
BOUNDS = {"maxLength", "const", "enum", "format", "maximum", "minimum"}


def objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "properties" in node:
            yield node
        for child in node.values():
            yield from objects(child)
    elif isinstance(node, list):
        for child in node:
            yield from objects(child)


def properties(spec: EventSpec) -> list[tuple[str, dict[str, Any]]]:
    schema = jsonschema.build(spec, "producer")
    return [pair for found in objects(schema) for pair in found["properties"].items()]


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for info in model.model_fields.values():
        for kind in (info.annotation, *get_args(info.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from models(kind)


@each_event
def test_every_field_says_what_it_is_for(spec: EventSpec) -> None:
    for name, field in properties(spec):
        assert field["description"].endswith("."), name
        assert field["x-purpose"] in PURPOSES, name
        assert field["x-legal-basis"] in LEGAL_BASES, name
        assert field.get("x-personal-data", "pd:Name") in CATEGORIES, name


@each_event
def test_every_text_has_a_limit(spec: EventSpec) -> None:
    for name, field in properties(spec):
        for branch in [field, *field.get("anyOf", ()), field.get("items", {})]:
            if branch.get("type") in ("string", "integer"):
                assert BOUNDS & branch.keys(), name


@each_event
def test_the_producer_schema_is_closed_and_the_reader_schema_open(spec: EventSpec) -> None:
    assert all(found["additionalProperties"] is False for found in objects(jsonschema.build(spec, "producer")))
    assert not any("additionalProperties" in found for found in objects(jsonschema.build(spec, "reader")))


@each_event
def test_models_are_frozen_strict_and_silent_about_values(spec: EventSpec) -> None:
    for model in models(spec.model):
        config = model.model_config
        assert (config["frozen"], config["strict"], config["hide_input_in_errors"]) == (True, True, True)
        assert config["extra"] == "ignore"


def test_personal_data_goes_to_carriers_only_in_the_address() -> None:
    for event in ("address.assigned", "address.corrected"):
        fields = jsonschema.build(registry.EVENTS[event, 1], "producer")["properties"]
        marked = {name for name, field in fields.items() if "x-personal-data" in field}
        assert marked == {"shipment_id"}


def test_a_dead_letter_holds_no_personal_data() -> None:
    assert not any("x-personal-data" in field for _, field in properties(registry.EVENTS["dead_letter.parked", 1]))


def test_the_committed_schemas_are_those_of_the_models() -> None:
    assert [path.name for path in jsonschema.stale()] == [], "run `python -m schemas write`"


def test_nothing_that_is_released_breaks() -> None:
    assert release.broken() == []


def test_every_event_is_released() -> None:
    assert [spec.type for spec in release.unreleased()] == []


def test_the_check_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["check"]) == 0
    assert "nothing released breaks" in capsys.readouterr().out


def test_every_code_is_one_of_the_workers_refusal_codes() -> None:
    assert {code.value for code in errors.ContractCode} <= {code.value for code in RefusalCode}
