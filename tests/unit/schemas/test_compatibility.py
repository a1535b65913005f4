"""One case for each kind of difference, in both directions: who is hurt by it, and who is not."""

from __future__ import annotations

from typing import Any

import pytest

from schemas import compatibility
from schemas.compatibility import Difference
from schemas.registry import Direction

Node = dict[str, Any]

TEXT: Node = {"type": "string"}
NULLABLE: Node = {"anyOf": [{"type": "string"}, {"type": "null"}]}


def model(*required: str, closed: bool = True, **fields: Node) -> Node:
    return {
        "type": "object",
        "properties": fields,
        "required": list(required),
        **({"additionalProperties": False} if closed else {}),
    }


def kinds(old: Node, new: Node, direction: Direction) -> list[str]:
    return [found.kind for found in compatibility.breaking(old, new, direction)]


def field(**node: Any) -> Node:
    return model(a=node)


CASES: list[tuple[str, Node, Node, list[str], list[str]]] = [
    # what changed, from, to, breaks the upstream (consumed), breaks the readers (emitted)
    ("nothing", model("a", a=TEXT), model("a", a=TEXT), [], []),
    ("optional field added", model(a=TEXT), model(a=TEXT, b=TEXT), [], []),
    ("required field added", model(a=TEXT), model("b", a=TEXT, b=TEXT), ["required_field_added"], []),
    ("optional field removed", model(a=TEXT, b=TEXT), model(a=TEXT), ["field_removed"], ["field_removed"]),
    (
        "required field removed",
        model("b", a=TEXT, b=TEXT),
        model(a=TEXT),
        ["field_removed"],
        ["field_removed"],
    ),
    (
        "field removed, open",
        model(a=TEXT, b=TEXT, closed=False),
        model(a=TEXT, closed=False),
        [],
        ["field_removed"],
    ),
    ("field made required", model(a=TEXT), model("a", a=TEXT), ["field_made_required"], []),
    ("field made optional", model("a", a=TEXT), model(a=TEXT), [], ["field_made_optional"]),
    ("model closed", model(a=TEXT, closed=False), model(a=TEXT), ["model_closed"], []),
    ("model opened", model(a=TEXT), model(a=TEXT, closed=False), [], []),
    ("type changed", field(type="string"), field(type="integer"), ["type_narrowed"], ["type_widened"]),
    ("number to integer", field(type="number"), field(type="integer"), ["type_narrowed"], []),
    ("integer to number", field(type="integer"), field(type="number"), [], ["type_widened"]),
    ("type given", field(), field(type="string"), ["type_narrowed"], []),
    ("type left open", field(type="string"), field(), [], ["type_widened"]),
    ("null refused", model(a=NULLABLE), model(a=TEXT), ["nullable_removed"], []),
    ("null allowed", model(a=TEXT), model(a=NULLABLE), [], ["nullable_added"]),
    (
        "null in a list of types",
        field(type=["string", "null"]),
        field(type="string"),
        ["nullable_removed"],
        [],
    ),
    ("enum shortened", field(enum=["x", "y"]), field(enum=["x"]), ["enum_narrowed"], []),
    ("enum extended", field(enum=["x"]), field(enum=["x", "y"]), [], ["enum_widened"]),
    ("enum added", field(type="string"), field(type="string", enum=["x"]), ["enum_narrowed"], []),
    ("enum removed", field(type="string", enum=["x"]), field(type="string"), [], ["enum_widened"]),
    ("enum to one value", field(enum=["x", "y"]), field(const="x"), ["enum_narrowed"], []),
    ("enum reordered", field(enum=["x", "y"]), field(enum=["y", "x"]), [], []),
    ("maxLength lowered", field(maxLength=9), field(maxLength=8), ["max_length_decreased"], []),
    ("maxLength raised", field(maxLength=8), field(maxLength=9), [], ["max_length_increased"]),
    ("maxLength added", field(), field(maxLength=9), ["max_length_decreased"], []),
    ("maxLength removed", field(maxLength=9), field(), [], ["max_length_increased"]),
    ("minLength raised", field(minLength=1), field(minLength=2), ["min_length_increased"], []),
    ("minLength lowered", field(minLength=2), field(minLength=1), [], ["min_length_decreased"]),
    ("minLength of nothing", field(minLength=0), field(), [], []),
    ("maxItems lowered", field(maxItems=4), field(maxItems=3), ["max_items_decreased"], []),
    ("maxItems raised", field(maxItems=3), field(maxItems=4), [], ["max_items_increased"]),
    ("minItems raised", field(minItems=1), field(minItems=2), ["min_items_increased"], []),
    ("minItems lowered", field(minItems=2), field(minItems=1), [], ["min_items_decreased"]),
    ("minimum raised", field(minimum=0), field(minimum=1), ["minimum_increased"], []),
    ("minimum lowered", field(minimum=1), field(minimum=0), [], ["minimum_decreased"]),
    ("maximum lowered", field(maximum=9), field(maximum=8), ["maximum_decreased"], []),
    ("maximum raised", field(maximum=8), field(maximum=9), [], ["maximum_increased"]),
    (
        "bound made exclusive",
        field(exclusiveMinimum=0),
        field(exclusiveMinimum=1),
        ["exclusive_minimum_increased"],
        [],
    ),
    ("upper bound made exclusive", field(), field(exclusiveMaximum=1), ["exclusive_maximum_decreased"], []),
    ("pattern changed", field(pattern="^a"), field(pattern="^b"), ["pattern_changed"], ["pattern_changed"]),
    ("pattern added", field(), field(pattern="^b"), ["pattern_added"], []),
    ("pattern removed", field(pattern="^b"), field(), [], ["pattern_removed"]),
    ("format changed", field(format="uuid"), field(format="date"), ["format_changed"], ["format_changed"]),
    ("format added", field(), field(format="uuid"), ["format_added"], []),
    ("format removed", field(format="uuid"), field(), [], ["format_removed"]),
    (
        "alternatives changed",
        field(anyOf=[{"type": "string"}, {"type": "integer"}]),
        field(anyOf=[{"type": "string"}, {"type": "boolean"}]),
        ["alternatives_changed"],
        ["alternatives_changed"],
    ),
    ("default changed", field(default=False), field(default=True), ["default_changed"], []),
    ("identifier undeclared", field(**{"x-identifier": True}), field(), ["identifier_undeclared"], []),
    ("only the words changed", field(description="old"), field(description="new"), [], []),
]
each_case = pytest.mark.parametrize(("what", "old", "new", "consumed", "emitted"), CASES, ids=[c[0] for c in CASES])


@each_case
def test_what_breaks_an_upstream(what: str, old: Node, new: Node, consumed: list[str], emitted: list[str]) -> None:
    assert kinds(old, new, Direction.CONSUMED) == consumed, what


@each_case
def test_what_breaks_a_reader(what: str, old: Node, new: Node, consumed: list[str], emitted: list[str]) -> None:
    assert kinds(old, new, Direction.EMITTED) == emitted, what


def shipped(recipient: Node) -> Node:
    return {
        **model(ship_to={"$ref": "#/$defs/Recipient", "description": "x"}),
        "$defs": {"Recipient": recipient},
    }


def test_differences_are_found_behind_references_and_named_by_their_path() -> None:
    old, new = shipped(model(name={"maxLength": 255})), shipped(model(name={"maxLength": 50}))
    assert compatibility.breaking(old, new, Direction.CONSUMED) == [
        Difference("max_length_decreased", "ship_to.name", "from 255 to 50")
    ]


def test_a_model_that_moves_into_a_definition_stays_the_same() -> None:
    inline = model(ship_to=model("name", name=TEXT))
    assert kinds(inline, shipped(model("name", name=TEXT)), Direction.CONSUMED) == []


def test_differences_are_found_in_the_entries_of_a_list() -> None:
    old, new = ({"type": "array", "items": {"maxLength": length}} for length in (255, 50))
    assert compatibility.breaking(model(lines=old), model(lines=new), Direction.CONSUMED) == [
        Difference("max_length_decreased", "lines[]", "from 255 to 50")
    ]


def test_differences_are_found_behind_a_nullable_reference() -> None:
    def optional(length: int) -> Node:
        nested = model(a={"anyOf": [{"$ref": "#/$defs/B"}, {"type": "null"}], "default": None})
        return {**nested, "$defs": {"B": model(b={"maxLength": length})}}

    assert kinds(optional(9), optional(8), Direction.CONSUMED) == ["max_length_decreased"]


def test_all_differences_are_listed_not_only_the_first() -> None:
    old = model(a={"maxLength": 9}, b=TEXT)
    new = model("c", a={"maxLength": 8}, c=TEXT)
    assert kinds(old, new, Direction.CONSUMED) == [
        "max_length_decreased",
        "field_removed",
        "required_field_added",
    ]


def test_a_difference_reads_as_one_line() -> None:
    assert str(Difference("field_removed", "ship_to.name", "the field is gone")) == (
        "ship_to.name: field_removed: the field is gone"
    )
    assert str(Difference("model_closed", "", "x")).startswith("the event: ")
