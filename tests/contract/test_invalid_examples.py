"""What is refused, at which field, and in which words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas import registry
from schemas.errors import FieldErrors
from tests.contract.contracts import EXAMPLES, load, validator

INVALID = sorted((EXAMPLES / "invalid").glob("*.json"))
each_invalid = pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)

# A JSON Schema validator need not assert formats.
BEYOND_JSON_SCHEMA = {"request_number_not_uuid", "parked_without_zone", "dead_letter_id_not_uuid"}


@each_invalid
def test_the_reason_names_field_and_rule(path: Path) -> None:
    case = load(path)
    with pytest.raises(FieldErrors) as refused:
        registry.decode_data(registry.spec_for(case["type"]), json.dumps(case["data"]).encode())
    assert (refused.value.code, refused.value.field) == (case["code"], case["field"])
    assert refused.value.reason == case["reason"]


@each_invalid
def test_the_producer_schema_refuses_it_too(path: Path) -> None:
    case = load(path)
    accepted = validator(registry.spec_for(case["type"]), "producer").is_valid(case["data"])
    assert accepted == (path.stem in BEYOND_JSON_SCHEMA)


@each_invalid
def test_the_error_holds_no_value(path: Path) -> None:
    case = load(path)
    value = case["data"]
    for part in case["field"].split("."):
        value = value[int(part)] if part.isdigit() else value.get(part)
    with pytest.raises(FieldErrors) as refused:
        registry.decode_data(registry.spec_for(case["type"]), json.dumps(case["data"]).encode())
    if isinstance(value, str) and len(value.strip()) > 2:
        assert value.strip() not in f"{refused.value} {refused.value!r} {refused.value.errors!r}"
    assert refused.value.__suppress_context__
