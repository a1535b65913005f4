"""Finds all patterns at once in a piece of bytes (Aho and Corasick, 1975), line breaks of mails taken out."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

from ahocorasick_rs import BytesAhoCorasick, Implementation

from workers.scan import forms
from workers.scan.forms import Pattern

_LINE_BREAK = re.compile(rb"[\r\n]")
# Up to here all patterns together are searched with a full table, twice as fast and some 50 MB large.
_TABLE_MAX_BYTES = 200_000
_SOFT_BREAK = re.compile(rb"=\r?\n")


class Hit(NamedTuple):
    """One place of a piece where a token stands; `form` says how."""

    start: int
    end: int
    token: int
    form: str


class Matcher:
    """Searches for tokens in every form. `reach` bytes cover any of them, line breaks included."""

    def __init__(self, tokens: Iterable[str]) -> None:
        folded, exact = forms.patterns(tokens)
        self._folded = _Automaton(folded)
        self._exact = _Automaton(exact)
        self.reach = 2 * max((len(one.content) for one in (*folded, *exact)), default=0) + 64

    def find(self, piece: bytes) -> Iterator[Hit]:
        """Every hit, each once, in no order."""
        found = set(self._plain(piece))
        yield from found
        if b"=\n" in piece or b"=\r\n" in piece:
            places = {(hit.start, hit.token) for hit in found}
            joined = _Joined(piece, _SOFT_BREAK)
            for start, end, pattern in self._folded.search(joined.content.lower()):
                hit = joined.hit(start, end, pattern._replace(form="quoted-printable, over a line break"))
                if (hit.start, hit.token) not in places:
                    yield hit
        yield from self._base64(piece)

    def _plain(self, piece: bytes) -> Iterator[Hit]:
        for start, end, pattern in self._folded.search(piece.lower()):
            is_other = pattern.is_raw and piece[start:end] != pattern.written and "other case" not in pattern.form
            yield Hit(start, end, pattern.token, f"{pattern.form}, other case" if is_other else pattern.form)

    def _base64(self, piece: bytes) -> Iterator[Hit]:
        """Base64 has no line breaks of its own: without them a folded one is found like any other."""
        found = self._exact.search(piece.translate(None, b"\r\n"))
        joined = _Joined(piece, _LINE_BREAK) if found else None
        for start, end, pattern in found:
            assert joined is not None
            yield joined.hit(start, end, pattern)


class _Automaton:
    """Patterns by what they look for: different tokens may have a form in common."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._patterns: dict[bytes, list[Pattern]] = {}
        for pattern in patterns:
            self._patterns.setdefault(pattern.content, []).append(pattern)
        self._contents = list(self._patterns)
        few = sum(map(len, self._contents)) <= _TABLE_MAX_BYTES
        form = Implementation.DFA if few else Implementation.ContiguousNFA
        self._automaton = BytesAhoCorasick(self._contents, implementation=form) if self._contents else None

    def search(self, piece: bytes) -> list[tuple[int, int, Pattern]]:
        if self._automaton is None:
            return []
        return [
            (start, end, pattern)
            for number, start, end in self._automaton.find_matches_as_indexes(piece, overlapping=True)
            for pattern in self._patterns[self._contents[number]]
        ]


class _Joined:
    """A piece with something taken out, and the way back to the places of the whole."""

    def __init__(self, piece: bytes, removed: re.Pattern[bytes]) -> None:
        gaps = [match.span() for match in removed.finditer(piece)]
        self._lengths = list(accumulate(end - start for start, end in gaps))
        self._starts = [
            start - before for (start, _), before in zip(gaps, [0, *self._lengths[:-1]], strict=False)
        ]  # fmt: skip
        self.content = removed.sub(b"", piece)

    def hit(self, start: int, end: int, pattern: Pattern) -> Hit:
        return Hit(self._original(start), self._original(end - 1) + 1, pattern.token, pattern.form)

    def _original(self, offset: int) -> int:
        passed = bisect_right(self._starts, offset)
        return offset + (self._lengths[passed - 1] if passed else 0)
