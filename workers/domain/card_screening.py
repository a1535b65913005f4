"""Payment card data in a whole body: which field holds which kind, or nothing.

`check_document` judges a parsed body field by field. `check_raw` judges bytes that cannot be parsed, so
that not even a sealed copy of a broken body holds a card number.
"""

from __future__ import annotations

import re
from functools import cache

from workers import errors
from workers.domain import cards, json_walk, paths, payment_names
from workers.domain import identifiers as ids

_PHONES = """
phone phonenumber telephone telephonenumber tel telefon telefonnummer mobile mobilephone mobilenumber
mobil handy cell cellphone fax faxnumber contactphone deliveryphone shippingphone receiverphone
"""
_PHONE_NAMES = frozenset(_PHONES.split())
_IDENTITIES = "subject_identities"
_ENVELOPE_IDENTIFIERS = frozenset({"id", "subject"})
_RAW_NAME = re.compile(r'"([^"\\]{1,64})"\s*:\s*(?:"([^"]{0,64})|([-0-9][^\s,}\]]{0,64}))?')
_RAW_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_RAW_BLANK = re.compile(r'\\[nrtbf"/\\]')


def refusal(what: str, field: str | None) -> errors.Refused:
    """Card data is never kept, not even sealed: only the place and the kind."""
    reason = f"it holds {what}; payment card data is never taken in, so its content was not kept"
    return errors.Refused(errors.RefusalCode.CARD_DATA, reason, field, keep_body=False)


def check_document(body: dict[str, object], identifiers: frozenset[str]) -> None:
    """Raise Refused(card_data) for the first card number or filled payment field of a parsed body."""
    exempt = _exempt_places(body, identifiers)
    normal = cache(payment_names.normal)  # a long name costs its length once, however many members are below it
    for path, parent, value in json_walk.members(body):
        name = path[-1] if isinstance(path[-1], str) else parent or ""
        if isinstance(path[-1], str):
            _check_name(path, normal(name), None if parent is None else normal(parent), value)
        if isinstance(value, dict):
            _check_said_name(path, value)
        if path in exempt and _is_identifier(value):
            continue
        brand = _brand(value, normal(name) in _PHONE_NAMES)
        if brand:
            raise refusal(_number(brand), paths.dotted(path))


def check_raw(value: bytes, identifiers: frozenset[str]) -> None:
    """The same for bytes that are no valid JSON; errs towards refusing, as the fields are not known."""
    text = _raw_text(value)
    name = _payment_name(text)
    if name is not None:
        raise refusal(f"a field named {paths.shown(name)}", None)
    if identifiers:
        names = "|".join(map(re.escape, sorted(identifiers)))
        text = re.sub(rf'"(?:{names})"\s*:\s*"{ids.PATTERN}"', "", text)
    brand = cards.find(text)
    if brand:
        raise refusal(_number(brand), None)


def names_payment(value: bytes) -> bool:
    """Does a filled payment field seem to be in the bytes? In one pass, for bodies that are not parsed."""
    return _payment_name(_raw_text(value)) is not None


def _raw_text(value: bytes) -> str:
    text = value.replace(b"\0", b"").decode("utf-8", "replace")
    if "\\" not in text:
        return text
    return _RAW_BLANK.sub(" ", _RAW_ESCAPE.sub(lambda m: chr(int(m[1], 16)), text))


def _payment_name(text: str) -> str | None:
    for match in _RAW_NAME.finditer(text):
        held = match[2] or match[3]
        if held and payment_names.holds_card_data(match[1], None, held):
            return match[1]
    return None


def _check_name(path: paths.Path, plain: str, parent: str | None, value: object) -> None:
    """`plain` and `parent` are the member's and its container's name as `payment_names.normal` returns them."""
    name = str(path[-1])
    brand = cards.find(name)
    if brand:
        raise refusal(f"{_number(brand)} as the name of a field", paths.dotted(path))
    if payment_names.is_suspect_plain(plain) or (parent is not None and payment_names.is_suspect_plain(parent)):
        for held in value if isinstance(value, list) else [value]:
            if payment_names.holds_card_data_plain(plain, parent, held):
                raise refusal(f"a field named {paths.shown(name)}", paths.dotted(path))


def _check_said_name(path: paths.Path, value: dict[str, object]) -> None:
    """The way note attributes are written: `{"name": "cvv", "value": …}`."""
    for said in (value.get("name"), value.get("key")):
        if isinstance(said, str) and payment_names.holds_card_data(said, None, value.get("value")):
            raise refusal("a field that says it is payment data", paths.dotted((*path, "value")))


def _brand(value: object, phone: bool) -> str | None:
    if isinstance(value, str):
        return cards.find(value, phone)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e19:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return cards.find(str(abs(value)), phone)
    return None


def _exempt_places(body: dict[str, object], identifiers: frozenset[str]) -> frozenset[paths.Path]:
    """Where identifiers are declared: the data's own level, and the envelope's in structured mode."""
    places: list[paths.Path] = [(name,) for name in identifiers]
    if "specversion" in body:
        places += [("data", name) for name in identifiers]
        places += [(name,) for name in _ENVELOPE_IDENTIFIERS]
    return frozenset(places + _customer_references(body, ()) + _customer_references(body.get("data"), ("data",)))


def _customer_references(data: object, above: paths.Path) -> list[paths.Path]:
    """Where a request names the person by customer reference (`schemas.request.SubjectIdentity`)."""
    named = data.get(_IDENTITIES) if isinstance(data, dict) else None
    return [
        (*above, _IDENTITIES, place, "identity_value")
        for place, one in enumerate(named if isinstance(named, list) else [])
        if isinstance(one, dict) and one.get("identity_type") == "controller_customer_id"
    ]


def _is_identifier(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and ids.is_identifier(value))


def _number(brand: str) -> str:
    article = "an" if brand[0] == "A" else "a"
    return f"{article} {brand} card number"
