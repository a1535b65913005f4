"""What the contract tests share: the examples, and validators that read patterns as ECMA 262 does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError, validators

from schemas import jsonschema, registry
from schemas.jsonschema import Side
from schemas.registry import EventSpec

EXAMPLES = jsonschema.HERE / "examples"
SPECS = list(registry.EVENTS.values())
ORDERS = [spec for spec in SPECS if spec.topic == "orders"]


def examples_of(spec: EventSpec) -> list[Path]:
    """The example files of one event and version."""
    return sorted((EXAMPLES / spec.type / f"v{spec.version}").glob("*.json"))


ALL_EXAMPLES = [(spec, path) for spec in SPECS for path in examples_of(spec)]
EXAMPLE_NAMES = [f"{spec.type}-{path.stem}" for spec, path in ALL_EXAMPLES]


def load(path: Path) -> dict[str, Any]:
    """One example."""
    loaded: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return loaded


@cache
def validator(spec: EventSpec, side: Side) -> Draft202012Validator:
    """A validator of the committed schema, not of a freshly generated one."""
    name = f"{spec.type}.v{spec.version}.{side}.schema.json"
    made: Draft202012Validator = _Validator(load(jsonschema.GENERATED / name))
    return made


def _pattern(_: object, pattern: str, instance: object, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    # Python's `$` also matches before a line feed at the end; that of JSON Schema does not.
    if isinstance(instance, str) and re.search(pattern.replace("$", r"\Z"), instance) is None:
        yield ValidationError("does not match the pattern")


_Validator = validators.extend(  # type: ignore[no-untyped-call]  # the stubs leave it open
    Draft202012Validator, {"pattern": _pattern}
)
