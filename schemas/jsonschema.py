"""JSON Schema (2020-12) of every event, generated from the models: closed for producers, open for readers.

A closed schema tells a producer at once that it misspelt a field or sends more than it should; an open one
lets a reader go on when a field is added.
"""

import json
from pathlib import Path
from typing import Any, Final, Literal

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema

from schemas import registry
from schemas.registry import EventSpec

Schema = dict[str, Any]
Side = Literal["producer", "reader"]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
HERE: Final = Path(__file__).parent
GENERATED: Final = HERE / "json"
RELEASED: Final = HERE / "released"


class _Generator(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: CoreSchema) -> bool:
        return False  # a title that repeats the field's name says nothing


def build(spec: EventSpec, side: Side) -> Schema:
    """Return the JSON Schema of an event's data for one side."""
    schema = spec.model.model_json_schema(schema_generator=_Generator)
    if side == "producer":
        _close(schema)
    suffix = "" if side == "producer" else ":reader"
    return {
        "$schema": DIALECT,
        "$id": spec.dataschema + suffix,
        "x-topic": spec.topic,
        "x-key": spec.subject,
        "x-tombstone": spec.tombstone,
        **schema,
    }


def render(schema: Schema) -> str:
    """Return the text that is committed: sorted nowhere, indented, one line feed at the end."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def files() -> dict[Path, str]:
    """Return every generated file with its text."""
    sides: tuple[Side, ...] = ("producer", "reader")
    return {
        GENERATED / f"{spec.type}.v{spec.version}.{side}.schema.json": render(build(spec, side))
        for spec in registry.EVENTS.values()
        for side in sides
    }


def released_file(spec: EventSpec) -> Path:
    """Return where the released form of an event's producer schema is kept."""
    return RELEASED / f"{spec.type}.v{spec.version}.schema.json"


def stale() -> list[Path]:
    """Return the generated files that are missing, out of date, or belong to no event any more."""
    wanted = files()
    wrong = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    return sorted(wrong + [path for path in GENERATED.glob("*.json") if path not in wanted])


def write() -> list[Path]:
    """Bring the generated files up to date; return those that changed."""
    changed = stale()
    wanted = files()
    GENERATED.mkdir(exist_ok=True)
    for path in changed:
        if path in wanted:
            path.write_text(wanted[path], "utf-8")
        else:
            path.unlink()
    return changed


def _close(node: object) -> None:
    if isinstance(node, list):
        for item in node:
            _close(item)
    elif isinstance(node, dict):
        if node.get("type") == "object" and "properties" in node:
            node["additionalProperties"] = False
        for item in node.values():
            _close(item)
