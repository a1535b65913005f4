"""Fits street lines into the lines a carrier has, without losing, cutting or inventing a word."""

import operator
from collections.abc import Callable, Sequence

Measure = Callable[[str], int]


def fit(lines: list[str], limits: Sequence[int], measure: Measure) -> list[str] | None:
    """The same words in the same order on at most `len(limits)` lines, each within its limit; else None.

    Lines that fit stay as they are. Otherwise long lines are split on words while the others stay; only if
    that takes too many lines are lines joined, and never where two numbers would meet: "Main St 5" and "3rd
    floor" do not become "Main St 5 3rd floor".
    """
    if len(lines) <= len(limits) and all(map(operator.le, map(measure, lines), limits)):
        return lines
    return _wrap(lines, limits, measure, join=False) or _wrap(lines, limits, measure, join=True)


def _wrap(lines: Sequence[str], limits: Sequence[int], measure: Measure, join: bool) -> list[str] | None:
    # Filling each line as far as it goes is optimal: the words keep their order.
    wrapped: list[str] = []
    for line in lines:
        for position, word in enumerate(line.split()):
            may_join = position > 0 or (join and bool(wrapped) and not _numbers_meet(wrapped[-1], word))
            if may_join and measure(f"{wrapped[-1]} {word}") <= limits[len(wrapped) - 1]:
                wrapped[-1] = f"{wrapped[-1]} {word}"
            elif len(wrapped) < len(limits) and measure(word) <= limits[len(wrapped)]:
                wrapped.append(word)
            else:
                return None
    return wrapped


def _numbers_meet(line: str, word: str) -> bool:
    last = line.rsplit(maxsplit=1)[-1]
    return any(character.isdigit() for character in last) and any(character.isdigit() for character in word)
