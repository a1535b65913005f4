"""JSON as strict as RFC 8259 and I-JSON (RFC 7493) allow: one object, unique keys, no NUL, finite numbers.

The fast reader (orjson) judges syntax, UTF-8 and surrogates; what it lets through silently (a key given
twice, a whole number beyond 64 bits turned into a float) is found by `check_closely`.
"""

from __future__ import annotations

import json
import re

import orjson

from workers import errors
from workers.domain import json_walk, paths

MAX_DEPTH = 32
_MAX_WHOLE = 2**64
_Code = errors.RefusalCode
_RAW_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class _TwiceError(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key


def load(value: bytes) -> dict[str, object]:
    """Parse the body. Keys given twice are not noticed here. Raises Refused, which never repeats a value."""
    try:
        body = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise _unreadable(value, str(error)) from None
    if type(body) is not dict:
        raise errors.Refused(_Code.INVALID_JSON, "the body must be one JSON object, not a list or a bare value")
    return body


def check_closely(value: bytes, body: dict[str, object]) -> dict[str, object]:
    """Refuse what `load` lets through; return the body read again, with exact whole numbers."""
    if json_walk.depth_exceeds(body, MAX_DEPTH):
        raise _too_deep()
    try:
        exact: dict[str, object] = json.loads(value, object_pairs_hook=_unique)
    except _TwiceError as error:
        where = paths.shown(error.key)
        raise errors.Refused(_Code.DUPLICATE_KEY, "a key is given twice in the same object", where) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise errors.Refused(_Code.INVALID_JSON, "a number has too many digits") from None
    if json_walk.depth_exceeds(exact, MAX_DEPTH):  # `load` keeps only the last of two equal keys
        raise _too_deep()
    for path, _, member in json_walk.members(exact):
        if isinstance(member, str):
            _check_text(member, path)
        elif isinstance(member, int) and not -_MAX_WHOLE // 2 <= member < _MAX_WHOLE:
            reason = "a number has too many digits: it does not fit in 64 bits; send it as text"
            raise errors.Refused(_Code.INVALID_FIELD, reason, paths.dotted(path))
        if isinstance(path[-1], str):
            _check_text(path[-1], path)
    return exact


def _unreadable(value: bytes, error: str) -> errors.Refused:
    try:
        value.decode()
    except UnicodeDecodeError:
        return errors.Refused(_Code.INVALID_UNICODE, "the body is not valid UTF-8")
    if value.startswith(b"\xef\xbb\xbf"):
        return errors.Refused(_Code.INVALID_JSON, "the body begins with a byte order mark; send it without")
    if "surrogate" in error:
        return errors.Refused(_Code.INVALID_UNICODE, "a \\u escape is half of a surrogate pair")
    if "depth limit" in error or "recursion" in error:
        return _too_deep()
    if "control character" in error or _RAW_CONTROL.search(value):
        reason = "a text holds a control character (such as NUL) that is not escaped"
        return errors.Refused(_Code.CONTROL_CHARACTER, reason)
    if "infinity" in error:
        return errors.Refused(_Code.INVALID_JSON, "a number is too large to be read")
    if not value.strip():
        return errors.Refused(_Code.INVALID_JSON, "the body is empty")
    if "after document" in error:
        return errors.Refused(_Code.INVALID_JSON, "something follows behind the JSON object")
    return errors.Refused(_Code.INVALID_JSON, "the body is not valid JSON (NaN and Infinity are not either)")


def _too_deep() -> errors.Refused:
    return errors.Refused(_Code.TOO_DEEP, f"objects and lists are nested deeper than {MAX_DEPTH} levels")


def _check_text(text: str, path: paths.Path) -> None:
    if "\0" in text:
        raise errors.Refused(_Code.CONTROL_CHARACTER, "a text holds a NUL character", paths.dotted(path))


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    built = dict(pairs)
    if len(built) != len(pairs):
        seen: set[str] = set()
        twice = ""
        for key, _ in pairs:
            if key in seen:
                twice = key
            seen.add(key)
        raise _TwiceError(twice)
    return built
