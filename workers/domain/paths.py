"""How the place of a value inside a body is named to people, without repeating personal data.

A key is written by the sender, so it can hold anything: an e-mail address or a card number. Only keys that
look like a field name of a program are shown.
"""

from __future__ import annotations

import re

_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")
_DIGITS = re.compile(r"[0-9]{3}")
_MAX_SHOWN_INDEX = 999
WITHHELD = "(name withheld)"

Path = tuple[str | int, ...]


def shown(key: str) -> str:
    """The key, or a stand-in where the key is not a plain field name or holds three digits in a row."""
    if _FIELD_NAME.fullmatch(key) and not _DIGITS.search(key):
        return key
    return WITHHELD


def dotted(path: Path) -> str | None:
    """`("ship_to", "lines", 0)` as `ship_to.lines[0]`; None for the body itself."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]" if step <= _MAX_SHOWN_INDEX else "[]"
        else:
            text += f".{shown(step)}" if text else shown(step)
    return text or None
