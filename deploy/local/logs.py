"""What a server's logs say about why it did not start."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_SERIOUS = re.compile(r"\b(FATAL|PANIC|ERROR)\b|^Exception in thread")
_TRACE = re.compile(r"^(\s+at |\s+\.\.\. \d+ more|Caused by: |[\w.$]+(Exception|Error)\b)")
_MAX_CHARS = 400


def last_words(console: Path, own: tuple[Path, int] | None = None) -> str:
    """The most telling line, and the file to read on in.

    In the log that a server writes `own` (from a byte on: where this start began) the first error, since later
    ones follow from it, with the cause in its stack trace; else the last error of what it printed to `console`,
    else the last line.
    """
    if own is not None:
        path, begun = own
        if errors := serious(_lines(path, begun)):
            return f"{errors[0]} (see {path})"
    printed = _lines(console, 0)
    words = (serious(printed) or [line[:_MAX_CHARS] for line in printed] or ["no output"])[-1]
    return f"{words} (see {own[0] if own else console})"


def serious(lines: Iterable[str]) -> list[str]:
    """The lines that call themselves errors, each with the innermost cause that its stack trace names."""
    found: list[str] = []
    causes: list[str] = []
    in_trace = False
    for line in lines:
        if in_trace and _TRACE.match(line):
            if not line[0].isspace():
                causes[-1] = ": " + line.removeprefix("Caused by: ")
        elif in_trace := _SERIOUS.search(line) is not None:
            found.append(line)
            causes.append("")
    return [(line + cause)[:_MAX_CHARS] for line, cause in zip(found, causes, strict=True)]


def _lines(path: Path, begun: int) -> list[str]:
    try:
        content = path.read_bytes()
    except OSError:
        return []
    if len(content) < begun:  # rotated meanwhile
        begun = 0
    return [line for line in content[begun:].decode(errors="replace").splitlines() if line.strip()]
