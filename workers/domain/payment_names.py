"""Fields that by their name hold payment card data (PCI DSS 4.0, table 3: account data).

The whole name counts, after case, underscores, dashes, dots, spaces and a trailing number are taken away:
`cardNumber`, `card-no` and `CARD_NUMBER_1` are payment names; `company`, `panel` and `gift_card_number` are
not. Left out on purpose: an IBAN (not card data), `pin` (an Indian postal code), `cid` and `service_code`
(other meanings in shipping), `card_last4`, `masked_pan`, brand and token (not card data: PCI DSS 3.4.1).
"""

from __future__ import annotations

import re
from itertools import product

from workers.domain import folding

_NOISE = str.maketrans("", "", "_-. :/\u00a0[]")
_INDIAN_TAX_NUMBER = re.compile(r"[A-Za-z]{5}[0-9]{4}[A-Za-z]")
_MASK = re.compile(r"[*•#.·\s-]*|[*xX•#.·\s-]{3,}")
_MASKED_NUMBER = re.compile(r"(?:[0-9 -]{0,11}[*xX•#·…][*xX•#·… .-]*)?[0-9]{4}")

_OWNERS = ("", "payment", "customer", "billing", "order", "user", "bank", "encrypted", "full", "raw")
_CARDS = ("card", "creditcard", "debitcard", "paymentcard", "bankcard", "cc", "kreditkarte", "cartebancaire")
_CARD_OBJECTS = tuple(name for name in _CARDS if name != "cc")  # `cc: {code: …}` may be a country
_CARD_PARTS = """
number no num nr nbr pan cvv cvc cvn csc cid securitycode verificationcode verificationvalue
verificationnumber code exp expiry expiration expires expirydate expdate expirationdate expmonth expyear
expirymonth expiryyear expirationmonth expirationyear validuntil validthru pin servicecode
track track1 track2 trackdata magstripe
"""
_ALONE = """
pan pannumber primaryaccountnumber cardpan creditcard creditcardinfo debitcard kreditkarte ccn
kartennummer kreditkartennummer numerocarte numerodecarte numerotarjeta numerodetarjeta
cvv cvvcode cvvnumber cvc cvccode cvcnumber cvn csc csccode cav cvvcvc pruefnummer securitycode
cardverification cryptogramme expmonth expyear track1 track2 track1data track2data trackdata magstripe
magstripedata magneticstripe pinblock
"""

_OBJECTS = frozenset(a + b + s for a, b, s in product(_OWNERS, _CARD_OBJECTS, ("", "s", "data", "details", "info")))
_IN_OBJECT = frozenset((*_CARD_PARTS.split(), "month", "year"))
_NAMES = frozenset(a + c + p for a, c, p in product(_OWNERS, _CARDS, _CARD_PARTS.split())) | frozenset(
    a + n for a, n in product(_OWNERS, _ALONE.split())
)
#: Normalised names worth a closer look; a superset of every name that `holds_card_data` can refuse.
SUSPECTS = _NAMES | _OBJECTS
_DIGITS = "0123456789"
_LONGEST = 64  # no payment name is as long


def normal(name: str) -> str:
    """The name as compared: compatibility forms folded, lower case, without separators; never long.

    Of many digits at the end the first few stand for all, and a name that is long even so is the empty one: neither
    makes another name a payment name, or the other way round.
    """
    if name.isascii() and name.isidentifier():  # the usual form, and half the time
        plain = name.replace("_", "").lower()
    else:
        plain = folding.nfkc(name).translate(_NOISE).lower()
    return plain if len(plain) <= _LONGEST else _shortened(plain)


def is_suspect(name: str) -> bool:
    """Cheap: may an object with this key hold payment fields? False is certain."""
    return is_suspect_plain(normal(name))


def is_suspect_plain(plain: str) -> bool:
    """The same of a name as `normal` returns it."""
    return plain in SUSPECTS or (plain[-1:].isdigit() and plain.rstrip(_DIGITS) in SUSPECTS)


def is_payment_name(name: str, parent: str | None = None) -> bool:
    """Does the name, as key of a scalar below the object named `parent`, announce card data?"""
    return _is_payment_plain(normal(name), None if parent is None else normal(parent))


def holds_card_data(name: str, parent: str | None, value: object) -> bool:
    """The same as `holds_card_data_plain`, of names as they were written."""
    return holds_card_data_plain(normal(name), None if parent is None else normal(parent), value)


def holds_card_data_plain(plain: str, parent: str | None, value: object) -> bool:
    """A payment name with something in it. Null, empty, true/false and masked values are nothing.

    Names are as `normal` returns them: a caller with many members below one name works it out once.
    Masked: only mask characters, or at most the first digits and the last four (PCI DSS 3.4.1). An Indian
    income tax number (it is called PAN, too: ABCDE1234F) is no card data either.
    """
    if value is None or isinstance(value, bool | dict | list):
        return False
    text = str(value).strip()
    if _MASK.fullmatch(text) or (_MASKED_NUMBER.fullmatch(text) and not _is_code(plain)):
        return False
    if plain.endswith("pan") and _INDIAN_TAX_NUMBER.fullmatch(text):
        return False
    return _is_payment_plain(plain, parent)


def _is_payment_plain(plain: str, parent: str | None) -> bool:
    if _either(plain, _NAMES):
        return True
    return parent is not None and _either(parent, _OBJECTS) and _either(plain, _IN_OBJECT)


def _shortened(plain: str) -> str:
    stem = plain.rstrip(_DIGITS)
    return stem + plain[len(stem) : len(stem) + 4] if len(stem) <= _LONGEST else ""


def _is_code(plain: str) -> bool:
    """Four digits are the end of a number, but the whole of a security code or an expiry."""
    return not plain.rstrip(_DIGITS).endswith(("number", "no", "num", "nr", "pan", "card", "karte"))


def _either(plain: str, names: frozenset[str]) -> bool:
    return plain in names or plain.rstrip(_DIGITS) in names
