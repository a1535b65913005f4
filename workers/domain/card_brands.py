"""Is a string of digits a payment card number: brand prefix, length and check digit (ISO/IEC 7812).

Chosen so that an ordinary number is rarely taken for a card (a random one of 16 digits: 1 in 50).
Maestro only by the issuer ranges in use (5018, 5020, 5038, 5893, 6304, 6759, 6761-6763) and with 16, 18 or
19 digits: 50 and 56-69 with 12 to 15 digits would take one in ten bar codes and phone numbers for a card.
Numbers that have another meaning by their own check digit are left alone: see `_is_other_number`.
"""

from __future__ import annotations

MIN_DIGITS, MAX_DIGITS = 13, 19
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_MAESTRO = ("5018", "5020", "5038", "5893", "6304", "6759", "6761", "6762", "6763")
_EAN_WEIGHTS = (1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1)
_RESIDENT_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2, 1)


def brand_of(digits: str) -> str | None:
    """The brand as people call it, or None. `digits` holds ASCII digits only."""
    if not MIN_DIGITS <= len(digits) <= MAX_DIGITS:
        return None
    brand = _BY_FIRST_DIGIT.get(digits[0], _none)(digits, len(digits))
    if brand is None or not passes_luhn(digits) or _is_other_number(digits):
        return None
    return brand


def passes_luhn(digits: str) -> bool:
    """The mod 10 check digit of ISO/IEC 7812-1, annex B."""
    numbers = [ord(c) - 48 for c in reversed(digits)]
    return (sum(numbers[::2]) + sum(_DOUBLED[n] for n in numbers[1::2])) % 10 == 0


def _none(digits: str, n: int) -> str | None:
    return None


def _two(digits: str, n: int) -> str | None:
    return "Mastercard" if n == 16 and "2221" <= digits[:4] <= "2720" else None


def _three(digits: str, n: int) -> str | None:
    if n == 15 and digits[1] in "47":
        return "American Express"
    if n == 14 and (digits[1] in "689" or "300" <= digits[:3] <= "305"):
        return "Diners Club"
    return "JCB" if n >= 16 and "3528" <= digits[:4] <= "3589" else None


def _four(digits: str, n: int) -> str | None:
    return "Visa" if n in (13, 16, 19) else None


def _five(digits: str, n: int) -> str | None:
    if n == 16 and digits[1] in "12345":
        return "Mastercard"
    return _maestro(digits, n)


def _six(digits: str, n: int) -> str | None:
    if n >= 16 and (digits[:4] == "6011" or digits[1] == "5" or "644" <= digits[:3] <= "649"):
        return "Discover"
    if n >= 16 and digits[1] == "2":
        return "Discover" if n == 16 and "622126" <= digits[:6] <= "622925" else "UnionPay"
    return _maestro(digits, n)


def _maestro(digits: str, n: int) -> str | None:
    return "Maestro" if n in (16, 18, 19) and digits[:4] in _MAESTRO else None


_BY_FIRST_DIGIT = {"2": _two, "3": _three, "4": _four, "5": _five, "6": _six}


def _is_other_number(digits: str) -> bool:
    """Numbers that orders do carry and that would pass for a card by chance or, worse, always."""
    n = len(digits)
    if n == 13:  # Visa's 13 digits are long withdrawn; bar codes and mobile numbers are in every shop
        return _is_ean(digits) or digits[:2] in ("43", "49") or _is_south_african_id(digits)
    if n == 14:  # SIRET: the French establishment number is Luhn by definition, and so is its SIREN
        return passes_luhn(digits[:9])
    if n == 18:
        return _is_chinese_resident_id(digits)
    return False


def _is_ean(digits: str) -> bool:
    """GTIN-13 (GS1 General Specifications, 7.9)."""
    return sum(w * int(c) for w, c in zip(_EAN_WEIGHTS, digits, strict=True)) % 10 == 0


def _is_south_african_id(digits: str) -> bool:
    """YYMMDD SSSS C A Z: a birthday, and citizenship 0 or 1; its check digit is Luhn too."""
    return "01" <= digits[2:4] <= "12" and "01" <= digits[4:6] <= "31" and digits[10] in "01"


def _is_chinese_resident_id(digits: str) -> bool:
    """GB 11643: region, birthday, serial, ISO 7064 mod 11-2 check digit."""
    born = digits[6:8] in ("19", "20") and "01" <= digits[10:12] <= "12" and "01" <= digits[12:14] <= "31"
    return born and sum(w * int(c) for w, c in zip(_RESIDENT_ID_WEIGHTS, digits, strict=True)) % 11 == 1
