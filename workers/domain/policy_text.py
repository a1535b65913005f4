"""What changed between two versions of a policy, for people: paragraph by paragraph, word by word within one."""

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

Kind = Literal["same", "added", "removed"]

_WORD = re.compile(r"\s+|\S+")
_LIKENESS = 0.4


class Piece(NamedTuple):
    """Words that stand in both versions, or in one of them only."""

    kind: Kind
    text: str


class Change(NamedTuple):
    """One paragraph that differs. `heading` is the title of its section, empty before the first one."""

    heading: str
    kind: Literal["added", "removed", "changed"]
    pieces: tuple[Piece, ...]


def changes(before: str, after: str) -> list[Change]:
    """Every paragraph of two Markdown texts that differs, in reading order."""
    old, new = _paragraphs(before), _paragraphs(after)
    matcher = difflib.SequenceMatcher(None, [text for _, text in old], [text for _, text in new], autojunk=False)
    found: list[Change] = []
    for operation, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if operation != "equal":
            found += _pairs(old[old_from:old_to], new[new_from:new_to])
    return found


def _pairs(old: Sequence[tuple[str, str]], new: Sequence[tuple[str, str]]) -> Iterator[Change]:
    """A paragraph that resembles the old one in its place is that one, changed."""
    left = list(old)
    for heading, text in new:
        like = next((one for one in left if _is_like(one[1], text)), None)
        if like is None:
            yield Change(heading, "added", (Piece("added", text),))
            continue
        for earlier in left[: left.index(like)]:
            yield Change(earlier[0], "removed", (Piece("removed", earlier[1]),))
        left = left[left.index(like) + 1 :]
        yield Change(heading, "changed", tuple(_pieces(like[1], text)))
    for heading, text in left:
        yield Change(heading, "removed", (Piece("removed", text),))


def _is_like(one: str, other: str) -> bool:
    return difflib.SequenceMatcher(None, one.split(), other.split(), autojunk=False).ratio() >= _LIKENESS


def _pieces(before: str, after: str) -> Iterator[Piece]:
    old, new = _WORD.findall(before), _WORD.findall(after)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for operation, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if operation == "equal":
            yield Piece("same", "".join(old[old_from:old_to]))
            continue
        if old_to > old_from:
            yield Piece("removed", "".join(old[old_from:old_to]))
        if new_to > new_from:
            yield Piece("added", "".join(new[new_from:new_to]))


def _paragraphs(text: str) -> list[tuple[str, str]]:
    """Heading and text of each paragraph and of each point of a list; wrapped lines are one."""
    found, heading = [], ""
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.)\s|#)", text.strip()):
        plain = _plain(block)
        if block.lstrip().startswith("#"):
            heading = plain
        if plain:
            found.append((heading, plain))
    return found


def _plain(block: str) -> str:
    """Without the marks of Markdown that are no words."""
    unlinked = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", block)
    return " ".join(re.sub(r"^\s*(?:#+|[-*]|\d+\.)\s+|\*\*|`", "", unlinked).split())
