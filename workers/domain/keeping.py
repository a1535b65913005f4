"""May a sealed copy of a refused record be kept? Only if no part of it holds card data.

A record is refused for the first reason that is found. Whatever that was, its other parts have to be looked at
before a copy is sealed: key, every header, the body, and what a structured event carries as base64.
"""

from __future__ import annotations

import base64
import binascii

from workers import errors
from workers.domain import cards, identifiers, json_strict, screening
from workers.domain.header_screening import EXEMPT, Headers

_BASE64 = "data_base64"


def may_be_kept(key: bytes | None, headers: Headers, value: bytes | None) -> bool:
    """Whether the whole record is free of card data; in doubt it is not kept."""
    if key and _holds_card(key):
        return False
    if any(_holds_card(name.encode("utf-8", "replace")) for name, _ in headers):
        return False
    if any(said and _holds_card(said, name in EXEMPT) for name, said in headers):
        return False
    return screening.may_be_kept(value) and _decoded_may_be_kept(value)


def _holds_card(raw: bytes, may_be_identifier: bool = True) -> bool:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return not (may_be_identifier and identifiers.is_identifier(text)) and cards.find(text) is not None


def _decoded_may_be_kept(value: bytes | None) -> bool:
    """The data of a structured event may hide behind base64; what cannot be decoded cannot be judged."""
    if value is None:
        return True
    try:
        encoded = json_strict.load(value).get(_BASE64)
    except errors.Refused:
        return _BASE64.encode() not in value
    try:
        return encoded is None or screening.may_be_kept(base64.b64decode(str(encoded), validate=True))
    except (binascii.Error, ValueError):
        return False
