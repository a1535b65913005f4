"""Record headers before they are read: size, injection, card numbers, e-mail addresses.

Headers that Lethe reads (`ce_*`, content-type, W3C trace context) must be printable UTF-8. Foreign ones may
be binary (schema ids and the like: they are never read or stored) but not text with line breaks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

from workers import errors
from workers.domain import card_screening, cards, folding, identifiers, paths, prefilter

MAX_HEADERS = 64
MAX_HEADERS_BYTES = 16 * 1024
_READ = ("content-type", "traceparent", "tracestate")
#: Identifiers of the envelope: exempt from the search for card numbers while they are plain tokens.
EXEMPT = frozenset({"ce_id", "ce_subject"})
_EMAIL = re.compile(r"[^\s@<>\"']\s*@\s*(?:[\w-]+\s*\.\s*)+[^\W\d_][\w-]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LINE_BREAK = re.compile(r"[\r\n]")
_OTHER_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_UNREADABLE = "\ufffd"  # what the reader puts where a name's bytes are no text
_PLAIN = bytes(b for b in range(32, 127) if b not in b"@%")
_Code = errors.RefusalCode

Headers = Sequence[tuple[str, bytes | None]]


def screen_headers(headers: Headers) -> None:
    """Raises Refused: header_invalid, control_character or card_data, with the header's name as field."""
    if len(headers) > MAX_HEADERS:
        raise errors.Refused(_Code.HEADER_INVALID, f"the record has more than {MAX_HEADERS} headers")
    names = ";".join([name for name, _ in headers]).encode("utf-8", "replace")
    joined = b";".join([names, *[value or b"" for _, value in headers]])
    if len(joined) > MAX_HEADERS_BYTES:
        reason = f"the headers are larger than {MAX_HEADERS_BYTES // 1024} KiB"
        raise errors.Refused(_Code.HEADER_INVALID, reason)
    if not joined.translate(None, _PLAIN) and not _may_hold_number(names, headers, joined):
        return
    for name, value in headers:
        _check(name, value or b"")


def _may_hold_number(names: bytes, headers: Headers, joined: bytes) -> bool:
    """Whether digits for a card number are there, also without identifiers: ids of 16 digits are common."""
    if not prefilter.may_hold_number(joined):
        return False
    others = (value for name, value in headers if value and not (name in EXEMPT and _is_identifier(value)))
    return prefilter.may_hold_number(b";".join((names, *others)))


def _is_identifier(value: bytes) -> bool:
    return value.isascii() and identifiers.is_identifier(value.decode())


def is_email(text: str) -> bool:
    """Does the text hold an e-mail address, also percent-encoded, full-width, spaced or with an IDN?"""
    for _ in range(3):
        text = unquote(text)
    return _EMAIL.search(folding.nfkc(text)) is not None


def _check(name: str, value: bytes) -> None:
    field = paths.shown(name)
    if _UNREADABLE in name:
        raise errors.Refused(_Code.HEADER_INVALID, "a header's name is not valid UTF-8", field)
    if _CONTROL.search(name):
        raise errors.Refused(_Code.CONTROL_CHARACTER, "a header's name holds a control character", field)
    ours = name.startswith("ce_") or name in _READ
    try:
        text = value.decode()
    except UnicodeDecodeError:
        if ours:
            raise errors.Refused(_Code.HEADER_INVALID, "the header is not valid UTF-8", field) from None
        text = value.decode("latin-1")
    else:
        broken = _LINE_BREAK.search(text) and not _OTHER_CONTROL.search(text)
        if broken or (ours and _CONTROL.search(text)):
            reason = "the header holds a line break or another control character"
            raise errors.Refused(_Code.CONTROL_CHARACTER, reason, field)
    exempt = name in EXEMPT and identifiers.is_identifier(text)
    brand = cards.find(name) or (None if exempt else cards.find(text))
    if brand:
        raise card_screening.refusal("a card number in a header", field)
    if is_email(name) or is_email(text):
        raise errors.Refused(_Code.HEADER_INVALID, "the header holds an e-mail address", field)
