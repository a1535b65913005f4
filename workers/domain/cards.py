"""Finds payment card numbers in text, also split, spelled in other digits, or inside a longer sentence.

A text is read as groups of digits with separators between them (white space, dashes, dots, slashes,
underscores; at most three in a row). A card number is a row of whole groups, so digits inside a longer
unbroken number are not one. Two kinds of rows count:

- in the layout of a card (4-4-4-4, 4-6-5, 4-6-4, in one piece, or every digit alone), with any separators,
  at any place of a longer row ("4111 1111 1111 1111 12/27 123" where the expiry follows);
- in any other layout of 15 digits or more, if the groups are the whole row and one separator is used
  throughout: two phone numbers or a date and a time after each other are not a card.

Stricter where phone numbers are at home: see `find`. Base64 and numbers written as words are not looked into.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from workers.domain import card_brands, folding

# White space; dashes of all scripts and the minus sign; dots, slashes, underscore, tilde; blank letters.
_SEPARATORS = (
    r"\s\-._/\\~\u00b7\u2022\u2010-\u2015\u2043\u2212"
    r"\u30fb\u058a\u05be\u1400\u1806\u2e17\u2e1a\u2e3a\u2e3b\u2e40\u301c\u3030\u30a0\u2800\u3164"
)
_RUN = re.compile(rf"[0-9](?:[{_SEPARATORS}]{{0,3}}[0-9]){{{card_brands.MIN_DIGITS - 1},}}")
_PARTS = re.compile(r"([0-9]+)([^0-9]*)")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\ufff9-\ufffb\u0300-\u036f\u20d0-\u20f0\U000e0000-\U000e01ef\x00-\x08\x0e-\x1b\x7f]"
)
_FOREIGN_DIGIT = re.compile(r"(?![0-9])\d")
_MAX_ROW_GROUPS = 64
_CARD_LAYOUTS = frozenset({(4, 6, 5), (4, 6, 4), (6, 13)})

_UUID_OR_DIGEST = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32,128})(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_IBAN = re.compile(r"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?:[ -]?[0-9A-Z]){11,30}(?![0-9A-Za-z])", re.IGNORECASE)
_DECIMAL = re.compile(r"(?<![0-9.])[0-9]{1,3}\.[0-9]{11,}(?![0-9.])")
_DHL = re.compile(r"(?<![0-9A-Za-z])JJD(?:[0-9]{18}|[0-9]{20})(?![0-9A-Za-z])", re.IGNORECASE)
_USPS = re.compile(r"(?<![0-9])9[1-5][0-9]{2}(?: [0-9]{4}){4}(?: [0-9]{2})?(?![0-9])")


def find(text: str, phone: bool = False) -> str | None:
    """The brand of the first card number in `text`, or None.

    A row behind a plus sign or 00 is a phone number up to 15 digits (E.164). `phone` says that the field is
    for phone numbers: then a number of 15 digits or more in the layout of a card is needed.
    """
    text = plain_digits(text)
    brand = next(_brands(text, phone), None)
    if brand is None:
        return None
    return next(_brands(_without_other_numbers(text), phone), None)


def plain_digits(text: str) -> str:
    """Compatibility forms folded (NFKC), invisible characters dropped, every decimal digit as ASCII."""
    if not text.isascii():
        text = folding.nfkc(text)
        text = _FOREIGN_DIGIT.sub(lambda m: str(unicodedata.decimal(m[0])), text)
        return _INVISIBLE.sub("", text)
    return text if text.isprintable() else _INVISIBLE.sub("", text)


def _brands(text: str, phone: bool) -> Iterator[str]:
    for run in _RUN.finditer(text):
        groups, separators = zip(*_PARTS.findall(run[0]), strict=True)
        dialled = text[run.start() - 1 : run.start()] == "+" or run[0].startswith("00")
        least = 16 if dialled else 15 if phone else card_brands.MIN_DIGITS
        for row, whole in _rows(groups):
            digits = "".join(row)
            if len(digits) < least:
                continue
            if _is_card_layout(row) or (whole and not phone and _is_even(row, separators)):
                brand = card_brands.brand_of(digits)
                if brand:
                    yield brand


def _rows(groups: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Rows of neighbouring groups with 13 to 19 digits in all; in a very long list of numbers not by ones."""
    for start, first in enumerate(groups):
        if len(groups) > _MAX_ROW_GROUPS and len(first) < 4:
            continue
        size = 0
        for end in range(start, min(start + card_brands.MAX_DIGITS, len(groups))):
            size += len(groups[end])
            if size > card_brands.MAX_DIGITS:
                break
            if size >= card_brands.MIN_DIGITS:
                yield groups[start : end + 1], end - start + 1 == len(groups)


def _is_card_layout(row: tuple[str, ...]) -> bool:
    sizes = tuple(map(len, row))
    if len(sizes) == 1 or set(sizes) == {1}:
        return True
    return sizes in _CARD_LAYOUTS or (set(sizes[:-1]) == {4} and sizes[-1] <= 4)


def _is_even(row: tuple[str, ...], separators: tuple[str, ...]) -> bool:
    """15 digits or more with one separator throughout, and no decimal number ("4.123456789012345")."""
    decimal = len(row) == 2 and separators[0] == "."
    return sum(map(len, row)) >= 15 and len(set(separators[: len(row) - 1])) == 1 and not decimal


def _without_other_numbers(text: str) -> str:
    """Blanked: UUIDs, hex digests, IBANs that check (ISO 13616), parcel numbers of DHL and USPS, decimals."""
    text = _UUID_OR_DIGEST.sub("x", text)
    text = _IBAN.sub(lambda m: "x" if _is_iban(m[0]) else m[0], text)
    text = _USPS.sub(lambda m: "x" if _is_usps(m[0]) else m[0], text)
    return _DECIMAL.sub("x", _DHL.sub("x", text))


def _is_iban(text: str) -> bool:
    plain = text.replace(" ", "").replace("-", "").upper()
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def _is_usps(text: str) -> bool:
    """The check digit of an Intelligent Mail package barcode (USPS Publication 199)."""
    numbers = [int(c) for c in reversed(text) if c != " "]
    return (sum(numbers[::2]) + 3 * sum(numbers[1::2])) % 10 == 0
