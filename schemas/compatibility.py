"""Find the differences between two JSON Schemas of one event that break somebody.

Whom depends on the direction. What Lethe consumes, an upstream sends: all it was allowed to send must stay
allowed. What Lethe emits, others read: all they relied on must stay true. Adding an optional field breaks
neither, because producers are held to closed schemas and readers to open ones. Both schemas given here are
the producer's.

The names of the differences follow those of the JSON Schema checker of the Karapace registry.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.registry import Direction

_INFINITY: Final = float("inf")
_UPPER: Final = {
    "maxLength": "max_length",
    "maxItems": "max_items",
    "maximum": "maximum",
    "exclusiveMaximum": "exclusive_maximum",
}
_LOWER: Final = {
    "minLength": ("min_length", 0),
    "minItems": ("min_items", 0),
    "minimum": ("minimum", -_INFINITY),
    "exclusiveMinimum": ("exclusive_minimum", -_INFINITY),
}
_ANY_TYPE: Final = frozenset(("array", "boolean", "integer", "null", "number", "object", "string"))

Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One breaking difference: its name, the dotted path of the field (`[]` is a list's entry), what
    changed."""

    kind: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path or 'the event'}: {self.kind}: {self.message}"


def breaking(old: Node, new: Node, direction: Direction) -> list[Difference]:
    """Compare the released with the present schema of one event; return what breaks, field by field."""
    return list(_Comparison(old, new, direction).differences("", old, new))


@dataclass(frozen=True, slots=True)
class _Comparison:
    old_root: Node
    new_root: Node
    direction: Direction

    @property
    def consumed(self) -> bool:
        return self.direction is Direction.CONSUMED

    def differences(self, path: str, old_node: Node, new_node: Node) -> Iterator[Difference]:
        old, new = _flat(self.old_root, old_node), _flat(self.new_root, new_node)
        yield from self._types(path, old, new)
        yield from self._values(path, old, new)
        yield from self._limits(path, old, new)
        for keyword in ("pattern", "format", "anyOf"):
            yield from self._opaque(path, keyword, old, new)
        yield from self._annotations(path, old, new)
        if "properties" in old and "properties" in new:
            yield from self._fields(path, old, new)
        if "items" in old and "items" in new:
            yield from self.differences(f"{path}[]", old["items"], new["items"])

    def _types(self, path: str, old: Node, new: Node) -> Iterator[Difference]:
        before, after = _types(old), _types(new)
        lost, gained = before - after, after - before
        if self.consumed and lost:
            kind = "nullable_removed" if lost == {"null"} else "type_narrowed"
            yield Difference(kind, path, f"{_words(lost)} is no longer allowed")
        if not self.consumed and gained:
            kind = "nullable_added" if gained == {"null"} else "type_widened"
            yield Difference(kind, path, f"it may be {_words(gained)} now")

    def _values(self, path: str, old: Node, new: Node) -> Iterator[Difference]:
        before, after = _enum(old), _enum(new)
        if self.consumed and after is not None and (before is None or before - after):
            lost = "anything else" if before is None else _words(before - after)
            yield Difference("enum_narrowed", path, f"{lost} is no longer allowed")
        if not self.consumed and before is not None and (after is None or after - before):
            gained = "anything" if after is None else _words(after - before)
            yield Difference("enum_widened", path, f"it may be {gained} now")

    def _limits(self, path: str, old: Node, new: Node) -> Iterator[Difference]:
        for keyword, name in _UPPER.items():
            before, after = old.get(keyword, _INFINITY), new.get(keyword, _INFINITY)
            if after < before if self.consumed else after > before:
                yield self._moved(path, name, before, after)
        for keyword, (name, absent) in _LOWER.items():
            before, after = old.get(keyword, absent), new.get(keyword, absent)
            if after > before if self.consumed else after < before:
                yield self._moved(path, name, before, after)

    @staticmethod
    def _moved(path: str, name: str, before: float, after: float) -> Difference:
        verb = "increased" if after > before else "decreased"
        return Difference(f"{name}_{verb}", path, f"from {_number(before)} to {_number(after)}")

    def _opaque(self, path: str, keyword: str, old: Node, new: Node) -> Iterator[Difference]:
        # Whether one pattern allows all that another one does cannot be decided here: any change counts,
        # but a rule that is dropped cannot hurt a producer, nor a rule that is added a reader.
        before, after = old.get(keyword), new.get(keyword)
        if before != after and (after if self.consumed else before) is not None:
            name = "alternatives" if keyword == "anyOf" else keyword
            verb = "added" if before is None else "removed" if after is None else "changed"
            yield Difference(f"{name}_{verb}", path, f"the {name} was {verb}")

    def _annotations(self, path: str, old: Node, new: Node) -> Iterator[Difference]:
        if not self.consumed:
            return
        if "default" in old and "default" in new and old["default"] != new["default"]:
            yield Difference("default_changed", path, "leaving it out means something else now")
        if old.get("x-identifier") and not new.get("x-identifier"):
            yield Difference("identifier_undeclared", path, "it would be screened for card numbers now")

    def _fields(self, path: str, old: Node, new: Node) -> Iterator[Difference]:
        before, after = old["properties"], new["properties"]
        required_before, required_after = set(old.get("required", ())), set(new.get("required", ()))
        closed_before, closed_after = _closed(old), _closed(new)
        if self.consumed and closed_after and not closed_before:
            yield Difference("model_closed", path, "unknown fields are no longer allowed")
        for name in before:
            where = f"{path}.{name}" if path else name
            if name not in after:
                if closed_after or not self.consumed:
                    yield Difference("field_removed", where, "the field is gone")
                continue
            if self.consumed and name in required_after - required_before:
                yield Difference("field_made_required", where, "it could be left out before")
            if not self.consumed and name in required_before - required_after:
                yield Difference("field_made_optional", where, "it was always there before")
            yield from self.differences(where, before[name], after[name])
        for name in after:
            if self.consumed and name not in before and name in required_after:
                where = f"{path}.{name}" if path else name
                yield Difference("required_field_added", where, "nobody sends it yet")


def _flat(root: Node, node: Node) -> Node:
    """Follow `$ref`, fold `anyOf: [X, null]` into X with a list of types, and `const` into `enum`."""
    if "$ref" in node:
        target: Any = root
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return _flat(root, {**target, **{key: value for key, value in node.items() if key != "$ref"}})
    if "const" in node:
        return {**node, "enum": [node["const"]]}
    branches = [branch for branch in node.get("anyOf", ()) if branch.get("type") != "null"]
    if len(branches) == 1:
        around = {key: value for key, value in node.items() if key != "anyOf"}
        inner = _flat(root, branches[0])
        nullable = len(node["anyOf"]) > 1
        return {**inner, **around, "type": sorted(_types(inner) | ({"null"} if nullable else set()))}
    return node


def _types(node: Node) -> frozenset[str]:
    declared = node.get("type")
    if declared is None:
        return _ANY_TYPE
    types = {declared} if isinstance(declared, str) else set(declared)
    return frozenset(types | ({"integer"} if "number" in types else set()))


def _enum(node: Node) -> frozenset[str] | None:
    return frozenset(map(json.dumps, node["enum"])) if "enum" in node else None


def _closed(node: Node) -> bool:
    return node.get("additionalProperties") is False


def _words(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


def _number(limit: float) -> str:
    return "no limit" if abs(limit) == _INFINITY else str(limit)
