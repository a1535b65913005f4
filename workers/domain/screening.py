"""What is refused before anything of an event is stored: the body, the key, the time.

The hot path (`screen`) reads the body once with a C parser and then only counts: a body with as many
quotation marks as its parsed keys and texts need has no key twice, and one without 13 digits in reach of
each other has no card number. Everything else is looked at closely, field by field. Headers:
`header_screening`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from workers import errors
from workers.domain import (
    card_screening,
    cards,
    header_screening,
    identifiers,
    json_strict,
    payment_names,
    prefilter,
)
from workers.domain.header_screening import screen_headers

__all__ = ["check_time", "may_be_kept", "screen", "screen_headers", "screen_key"]

MAX_BODY_BYTES = 256 * 1024
_MAX_KEY_BYTES = 1024
_WIRE_FIELDS = """
carrier wait_for_ready contact_consent ship_to reason name company lines city dependent_locality region
postal_code country_code phone email specversion id source type time subject dataschema datacontenttype data
"""
#: Fields of the contracts: their names need no look. Nothing that could be a payment field belongs here.
KNOWN_FIELDS = identifiers.NAMES | frozenset(_WIRE_FIELDS.split())
_QUOTE, _BACKSLASH = ord('"'), ord("\\")
#: Below every count of quotation marks that a body can need.
_CLOSER = -(2**62)
#: From here on a float may be a card number, or a whole number that lost digits.
_LARGE = 1e12
_Code = errors.RefusalCode


def screen(
    value: bytes,
    identifier_names: frozenset[str] = identifiers.NAMES,
    known_fields: frozenset[str] = KNOWN_FIELDS,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> dict[str, object]:
    """The parsed body, if it may be stored; otherwise Refused with code, reason in plain words and field.

    Both content modes can be given: the data alone, or the whole structured event. `identifier_names` are
    exempt from the search for card numbers at the data's top level. Card data wins over every other reason
    to refuse, also in a body that is no JSON, so that no sealed copy holds any.
    """
    if len(value) > max_body_bytes:
        raise _too_large(value, max_body_bytes)
    try:
        body = json_strict.load(value)
        quotes = 2 * _names((body,), known_fields, json_strict.MAX_DEPTH)
        if quotes == value.count(_QUOTE) and _BACKSLASH not in value and not prefilter.may_hold_number(value):
            return body
        return _look_closely(value, body, quotes, identifier_names)
    except errors.Refused as refused:
        if refused.keep_body:
            card_screening.check_raw(value, identifier_names)
        raise


def screen_key(key: bytes | None) -> str:
    """The customer reference that is the record's key. Raises Refused: key_invalid or card_data.

    `keep_body` of the refusal speaks of the key: whether the record may be kept is `keeping`'s to say.
    """
    if not key:
        raise errors.Refused(_Code.KEY_INVALID, "the record has no key; it must be the customer reference", "key")
    if len(key) > _MAX_KEY_BYTES:
        reason = "the key is far longer than a customer reference"
        keep = not prefilter.may_hold_number(key)
        raise errors.Refused(_Code.KEY_INVALID, reason, "key", keep_body=keep)
    try:
        text = key.decode()
    except UnicodeDecodeError:
        raise errors.Refused(_Code.KEY_INVALID, "the key is not valid UTF-8", "key") from None
    if identifiers.is_identifier(text):
        return text
    if cards.find(text):
        raise card_screening.refusal("a card number as the record's key", "key")
    if header_screening.is_email(text):
        reason = "the record is keyed by an e-mail address; the key must be the customer reference"
        raise errors.Refused(_Code.KEY_INVALID, reason, "key")
    reason = "the key is not a customer reference: 1 to 64 letters, digits and . _ : - are allowed"
    raise errors.Refused(_Code.KEY_INVALID, reason, "key")


def check_time(event_time: datetime, now: datetime, max_future_s: float = 3600, max_age_s: float = 400 * 86400) -> None:
    """Refuse a time that no working clock gives. Both times with their zone; both limits still pass."""
    if event_time.tzinfo is None:
        raise errors.Refused(_Code.TIME_IMPLAUSIBLE, "the event's time has no time zone", "ce_time")
    if event_time - now > timedelta(seconds=max_future_s):
        raise errors.Refused(_Code.TIME_IMPLAUSIBLE, "the event's time is too far in the future", "ce_time")
    if now - event_time > timedelta(seconds=max_age_s):
        raise errors.Refused(_Code.TIME_IMPLAUSIBLE, "the event's time is too long ago", "ce_time")


def may_be_kept(value: bytes | None, identifier_names: frozenset[str] = identifiers.NAMES) -> bool:
    """May a sealed copy of this body be kept? For what is refused before `screen` has seen it: see `keeping`."""
    if value is None:
        return True
    try:
        screen(value, identifier_names)
    except errors.Refused as refused:
        return refused.keep_body
    return True


def _names(values: Iterable[Any], known_fields: frozenset[str], levels: int) -> int:
    """How many keys and texts are in the values; far below zero where the body must be looked at closely."""
    count = 0
    for value in values:
        kind = type(value)
        if kind is str:
            count += 1
        elif kind is dict:
            if levels < 1 or not (known_fields.issuperset(value) or _are_harmless(value, known_fields)):
                return _CLOSER
            count += len(value) + _names(value.values(), known_fields, levels - 1)
        elif kind is list:
            if levels < 1:
                return _CLOSER
            count += _names(value, known_fields, levels - 1)
        elif kind is float and abs(value) >= _LARGE:
            return _CLOSER
    return count


def _are_harmless(members: dict[str, object], known_fields: frozenset[str]) -> bool:
    """Can no key of the object be a payment field? Also for `{"name": "cvv", "value": …}`."""
    for key in members:
        if key not in known_fields and (not key.isascii() or payment_names.is_suspect(key)):
            return False
    if "value" not in members:
        return True
    return not any(isinstance(said, str) and payment_names.is_suspect(said) for said in members.values())


def _look_closely(
    value: bytes, body: dict[str, object], quotes: int, identifier_names: frozenset[str]
) -> dict[str, object]:
    counted = quotes == value.count(_QUOTE) and b'\\"' not in value and b"\\u0000" not in value
    if counted:
        if not prefilter.may_hold_number(_without_identifiers(value, body, identifier_names)):
            return body
        # The text as a whole holds every field, so nothing found in it is nothing found in any of them.
        if _BACKSLASH not in value and not cards.find(value.decode()) and not prefilter.holds_long_number(value):
            return body
    body = json_strict.check_closely(value, body)
    card_screening.check_document(body, identifier_names)
    return body


def _without_identifiers(value: bytes, body: dict[str, object], identifier_names: frozenset[str]) -> bytes:
    """The text without its declared identifiers: a shop with 16-digit order numbers has one in every event.

    Each is taken out once, where it stands behind its own name; the same digits elsewhere stay to be looked at.
    """
    for name in identifier_names.intersection(body):
        said = body[name]
        if isinstance(said, str) and identifiers.is_identifier(said):
            for separator in ('":"', '": "'):
                value = value.replace(f'"{name}{separator}{said}"'.encode(), b'""', 1)
    return value


def _too_large(value: bytes, max_body_bytes: int) -> errors.Refused:
    """Judged by size alone; kept sealed only if not even a trace of card data is in it."""
    keep = not prefilter.may_hold_number(value) and not card_screening.names_payment(value)
    reason = f"the body is larger than {max_body_bytes // 1024} KiB"
    if not keep:
        reason += "; it was not kept, because it may hold payment card data"
    return errors.Refused(_Code.BODY_TOO_LARGE, reason, keep_body=keep)
