"""Reads a YAML file into a model; what is wrong with it is one line that names file, key and what to do."""

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TypeVar

import pydantic
import yaml

from workers.errors import UsageError

T = TypeVar("T")


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice and keeps NO (Norway), ON and OFF as text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=deep)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path: Path, validate: Callable[[object], T]) -> T:
    """The file's content as `validate` makes it. Raises UsageError."""
    try:
        return validate(yaml.load(path.read_text(encoding="utf-8"), _Loader))  # noqa: S506  (a SafeLoader of our own)
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"{path}: cannot be read: {problem}") from problem
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark
        where = f"line {mark.line + 1}" if mark else "the file"
        raise UsageError(f"{path}: {where} is not valid YAML: {problem.problem}") from problem
    except yaml.YAMLError as problem:
        raise UsageError(f"{path}: is not valid YAML: {' '.join(str(problem).split())}") from problem
    except pydantic.ValidationError as problem:
        raise UsageError(f"{path}: {_first(problem)}") from problem


def _first(problem: pydantic.ValidationError) -> str:
    """The first error as `key: what is wrong`, and how many more there are."""
    first = problem.errors(include_url=False, include_input=False)[0]
    key = ".".join(str(part) for part in first["loc"]) or "the file"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        message = "is missing: add it"
    elif first["type"] == "extra_forbidden":
        message = "is not a known key: remove it or correct its spelling"
    more = problem.error_count() - 1
    return f"{key}: {message}" + (f" (and {more} more)" if more else "")
