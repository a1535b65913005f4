"""Cheap first looks at bytes, without parsing: a False is certain, a True means "look closely".

Digits become zeros and separators vanish (one pass in C), so a card number shows as 13 zeros in a row. In
text beyond ASCII every lead byte under which Unicode has decimal digits counts as a digit and all else as a
separator.
"""

from __future__ import annotations

import re

from workers.domain import card_brands

#: Lead bytes of the UTF-8 of all characters that are, or fold to (NFKC), decimal digits.
DIGIT_LEADS = frozenset((0xC2, 0xD9, 0xDB, 0xDF, 0xE0, 0xE1, 0xE2, 0xE3, 0xEA, 0xEF, 0xF0))
_ZERO, _BACKSLASH = ord("0"), ord("\\")
_ZEROS = bytes(_ZERO if 48 <= b <= 57 or b in DIGIT_LEADS else b for b in range(256))
_SEPARATORS = b" \t\r\n\v\f-._/\\~" + bytes(b for b in range(128, 256) if b not in DIGIT_LEADS)
_INVISIBLE = bytes((*range(32), 127))
_RUN = b"0" * card_brands.MIN_DIGITS
_DROPPED = bytes(sorted({*_SEPARATORS, *_INVISIBLE}))
_ESCAPE = re.compile(rb'\\(?:u[0-9a-fA-F]{4}|[nrtbf"/\\])')
_LONG_NUMBER = re.compile(rb"[0-9]{19}")


def may_hold_number(value: bytes) -> bool:
    """Can 13 or more digits, with separators between them, be in the text?"""
    if _BACKSLASH in value:
        value = _ESCAPE.sub(_unescaped, value)
    return value.translate(_ZEROS, _DROPPED).count(_RUN) > 0  # faster than `in`


def holds_long_number(value: bytes) -> bool:
    """Are there 19 digits in one piece, so that a JSON number could be too large for 64 bits?"""
    return _LONG_NUMBER.search(value) is not None


def _unescaped(match: re.Match[bytes]) -> bytes:
    text = match[0]
    return chr(int(text[2:6], 16)).encode("utf-8", "replace") if text[1:2] == b"u" else b" "
