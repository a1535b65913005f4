"""The forms in which a text may lie in a file: encodings, escapes, normal forms, cases. Pure.

What is searched is bytes. `folded` patterns are compared with ASCII letters in lower case on both sides, which
covers every mixture of cases of those; letters beyond ASCII come in lower and in upper case. Base64 keeps case, so its
patterns are exact: the text as given, lower, upper and in title case, at each of the three alignments.
"""

import base64
import html
import json
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from workers.errors import UsageError

MIN_CHARS = 4
_MIN_BYTES = 4
_MIN_BASE64_CHARS = 6
_RAW = ("UTF-8", "UTF-16LE", "UTF-16BE", "Latin-1")


class Pattern(NamedTuple):
    """Bytes to look for. `token` counts from 1; `written` is how the token itself would stand there, if `is_raw`."""

    content: bytes
    token: int
    form: str
    written: bytes
    is_raw: bool


class Patterns(NamedTuple):
    """All forms of all tokens."""

    folded: tuple[Pattern, ...]
    exact: tuple[Pattern, ...]


def patterns(tokens: Iterable[str]) -> Patterns:
    """Raises UsageError for a token that is too short to mean anything, naming it by its number only."""
    folded: dict[tuple[bytes, int], Pattern] = {}
    exact: dict[tuple[bytes, int], Pattern] = {}
    for number, token in enumerate(tokens, 1):
        if len(token.strip()) < MIN_CHARS:
            raise UsageError(f"token {number} has fewer than {MIN_CHARS} characters: it would be found everywhere")
        for text, variant in _texts(token, (str.lower, str.upper, str.casefold)):
            for form, content in _plain(text):
                if len(content) >= _MIN_BYTES:
                    found = Pattern(content.lower(), number, form + variant, content, form in _RAW)
                    folded.setdefault((found.content, number), found)
        for text, variant in _texts(token, (str.lower, str.upper, str.title)):
            for form, content in _base64(text):
                if len(content) >= _MIN_BASE64_CHARS:
                    exact.setdefault((content, number), Pattern(content, number, form + variant, content, False))
    return Patterns(tuple(folded.values()), tuple(exact.values()))


def _texts(token: str, cases: Iterable[object]) -> Iterator[tuple[str, str]]:
    """The token in both normal forms (Unicode annex 15) and in these cases, with what to add to a form's name."""
    composed, decomposed = (unicodedata.normalize(form, token) for form in ("NFC", "NFD"))
    forms = [(composed, ""), (token, ""), *([(decomposed, ", NFD")] if decomposed != composed else [])]
    for text, name in forms:
        yield text, name
        for case in cases:
            changed = case(text)  # type: ignore[operator]  # str's own methods
            if changed != text:
                yield changed, f"{name}, other case"


def _plain(text: str) -> Iterator[tuple[str, bytes]]:
    """Every form but base64, the simplest first: where two are the same bytes, the first names them."""
    yield from _encoded(text)
    yield from _json(text)
    yield from _markup(text)
    yield from _mail(text)
    yield from _escaped_bytes(text.encode())
    for form, content in _inner(text):
        yield f"hex of {form}", content.hex().encode()


def _encoded(text: str) -> Iterator[tuple[str, bytes]]:
    yield "UTF-8", text.encode()
    yield "UTF-16LE", text.encode("utf-16-le")
    yield "UTF-16BE", text.encode("utf-16-be")
    try:
        yield "Latin-1", text.encode("latin-1")
    except UnicodeEncodeError:
        return


def _inner(text: str) -> Iterator[tuple[str, bytes]]:
    """What hex and base64 are made of."""
    yield from _encoded(text)
    yield "JSON-escaped", json.dumps(text)[1:-1].encode()


def _json(text: str) -> Iterator[tuple[str, bytes]]:
    escaped = json.dumps(text)[1:-1]
    yield "JSON-escaped", escaped.encode()
    yield "JSON-escaped", json.dumps(text, ensure_ascii=False)[1:-1].encode()
    yield "JSON-escaped", escaped.replace("/", r"\/").encode()
    yield "JSON-escaped twice", json.dumps(escaped)[1:-1].encode()


def _markup(text: str) -> Iterator[tuple[str, bytes]]:
    for escaped in (html.escape(text), html.escape(text).replace("&#x27;", "&#39;"), text):
        yield "HTML-escaped", escaped.encode()
        yield "HTML-escaped", escaped.encode("ascii", "xmlcharrefreplace")
    for escaped in (quote(text, safe=""), quote_plus(text), quote(text, safe="@"), quote(text, safe="@+/:")):
        yield "percent-encoded", escaped.encode()
    yield "quotes doubled", text.replace("'", "''").encode()
    yield "quotes doubled", text.replace('"', '""').encode()


def _mail(text: str) -> Iterator[tuple[str, bytes]]:
    """Quoted-printable as bodies and headers have it (RFC 2045, RFC 2047), and headers folded at a space."""
    contents = [text.encode()]
    if not text.isascii():
        contents += [content for form, content in _encoded(text) if form == "Latin-1"]
    for content in contents:
        body = "".join(chr(c) if 32 <= c < 127 and c != 0x3D else f"={c:02X}" for c in content)
        most = "".join(chr(c) if chr(c).isalnum() and c < 128 else f"={c:02X}" for c in content)
        yield "quoted-printable", body.encode()
        yield "quoted-printable", body.replace("_", "=5F").replace(" ", "_").encode()
        yield "quoted-printable", most.encode()
        yield "quoted-printable", most.replace("=20", "_").encode()
    for line_break in ("\r\n ", "\n ", "\r\n\t", "\n\t", "\r\n", "\n"):
        if " " in text:
            yield "folded at a space", text.replace(" ", line_break).encode()


def _escaped_bytes(content: bytes) -> Iterator[tuple[str, bytes]]:
    shown = "".join(chr(c) if c < 128 else f"\\x{c:02x}" for c in content)
    yield "byte escapes", shown.encode()
    yield "byte escapes", shown.replace("'", r"\'").encode()  # Python's own, where both quotes occur
    yield "byte escapes", "".join(chr(c) if c < 128 else f"\\{c:03o}" for c in content).encode()


def _base64(text: str) -> Iterator[tuple[str, bytes]]:
    """The characters that depend on the text alone, whatever stands before and after it (RFC 4648)."""
    for form, content in _inner(text):
        for before, dropped in ((0, 0), (1, 2), (2, 3)):
            whole = (before + len(content)) * 8 // 6
            encoded = base64.b64encode(bytes(before) + content)[dropped:whole]
            yield f"base64 of {form}", encoded
            yield f"base64url of {form}", encoded.translate(bytes.maketrans(b"+/", b"-_"))
