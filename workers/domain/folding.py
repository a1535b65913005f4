"""Compatibility forms of text folded, at a cost that grows with its length only."""

from __future__ import annotations

import unicodedata

_PIECE_CHARS = 256


def nfkc(text: str) -> str:
    """NFKC (UAX 15), piece by piece: for looking at, not for keeping.

    Sorting a row of combining marks takes the square of its length, and nothing bounds such a row in a text of a
    stranger. At a seam a letter and its accent stay two characters; digits are folded one by one anyway.
    """
    if len(text) <= _PIECE_CHARS:
        return unicodedata.normalize("NFKC", text)
    return "".join(
        unicodedata.normalize("NFKC", text[start : start + _PIECE_CHARS]) for start in range(0, len(text), _PIECE_CHARS)
    )
