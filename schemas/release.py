"""What is released, and whether the present contracts still keep what it promised."""

import json
from collections.abc import Iterator
from pathlib import Path

from schemas import compatibility, jsonschema, registry
from schemas.compatibility import Difference
from schemas.registry import EventSpec


def broken(released: Path = jsonschema.RELEASED) -> list[str]:
    """Return one readable line per breaking difference between what is released and the present models."""
    lines = [
        f"{spec.type} v{spec.version}: {found}"
        for spec in registry.EVENTS.values()
        for found in _against(spec, released)
    ]
    present = {jsonschema.released_file(spec).name for spec in registry.EVENTS.values()}
    gone = sorted(path.name for path in released.glob("*.json") if path.name not in present)
    return lines + [f"{name.removesuffix('.schema.json')}: event_removed: it is released" for name in gone]


def unreleased(released: Path = jsonschema.RELEASED) -> list[EventSpec]:
    """Return the events that were never released."""
    return [spec for spec in registry.EVENTS.values() if not (released / jsonschema.released_file(spec).name).exists()]


def publish(released: Path = jsonschema.RELEASED) -> list[Path]:
    """Copy the present producer schemas to what is released; return the files that changed.

    Call it only when `broken` has returned nothing: it does not ask again.
    """
    released.mkdir(exist_ok=True)
    changed = []
    for spec in registry.EVENTS.values():
        path = released / jsonschema.released_file(spec).name
        text = jsonschema.render(jsonschema.build(spec, "producer"))
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            changed.append(path)
    return changed


def _against(spec: EventSpec, released: Path) -> Iterator[Difference]:
    path = released / jsonschema.released_file(spec).name
    if path.exists():
        old = json.loads(path.read_text("utf-8"))
        yield from compatibility.breaking(old, jsonschema.build(spec, "producer"), spec.direction)
