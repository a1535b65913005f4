"""Walks a parsed body member by member, without recursion."""

from __future__ import annotations

from collections.abc import Iterator

from workers.domain import paths


def members(body: dict[str, object]) -> Iterator[tuple[paths.Path, str | None, object]]:
    """Every member of every object and list: its path, the nearest named container above it, its value."""
    pending: list[tuple[paths.Path, str | None, dict[str, object] | list[object]]] = [((), None, body)]
    while pending:
        path, parent, container = pending.pop()
        steps: Iterator[tuple[str | int, object]]
        steps = iter(container.items()) if isinstance(container, dict) else iter(enumerate(container))
        for step, value in steps:
            place = (*path, step)
            yield place, parent, value
            if isinstance(value, dict | list):
                pending.append((place, step if isinstance(step, str) else parent, value))


def depth_exceeds(body: object, levels: int) -> bool:
    """Are objects and lists nested deeper than `levels`, the body itself being the first?"""
    level = [body]
    for _ in range(levels):
        level = [child for parent in level for child in _children(parent) if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _children(parent: object) -> Iterator[object]:
    if isinstance(parent, dict):
        yield from parent.values()
    elif isinstance(parent, list):
        yield from parent
