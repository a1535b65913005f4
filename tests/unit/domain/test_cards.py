"""Card numbers in text: which are found, which are not, and how often an honest text is suspected."""

# ruff: noqa: RUF001  # look-alike digits and dashes are what is tested
from __future__ import annotations

import itertools
import random
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.domain import card_brands, cards, prefilter

PANS = {
    "4111111111111111": "Visa",
    "4012888888881881": "Visa",
    "4222222222222": "Visa",
    "4000000000000000006": "Visa",
    "5555555555554444": "Mastercard",
    "5105105105105100": "Mastercard",
    "2223003122003222": "Mastercard",
    "378282246310005": "American Express",
    "371449635398431": "American Express",
    "30569309025904": "Diners Club",
    "38520000023237": "Diners Club",
    "36700102000000": "Diners Club",
    "6011111111111117": "Discover",
    "6011000990139424": "Discover",
    "6500000000000002": "Discover",
    "3530111333300000": "JCB",
    "3566002020360505": "JCB",
    "6200000000000005": "UnionPay",
    "6205500000000000004": "UnionPay",
    "6759649826438453": "Maestro",
    "6304000000000000": "Maestro",
}
PREFIXES = [
    ("4", 16), ("4", 19), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16), ("34", 15), ("37", 15),
    ("300", 14), ("305", 14), ("36", 14), ("38", 14), ("39", 14), ("6011", 16), ("65", 16), ("644", 19),
    ("649", 16), ("622126", 16), ("622925", 16), ("3528", 16), ("3589", 16), ("62", 16), ("62", 17),
    ("62", 19), ("5018", 16), ("6763", 19),
]  # fmt: skip
SEPARATORS = [
    " ",
    "-",
    ".",
    "_",
    "/",
    "\u00a0",
    "\u2009",
    "\u202f",
    "–",
    "—",
    "−",
    " - ",
    "\u3000",
    "\n",
    "\u2011",
    "－",
]
DIGITS = ["0", "０", "٠", "۰", "०", "𝟎", "𝟘", "𝟬", "๐"]


def with_check_digit(body: str) -> str:
    """The one digit that makes the number pass."""
    return next(body + c for c in "0123456789" if card_brands.passes_luhn(body + c))


@st.composite
def pans(draw: st.DrawFn) -> str:
    prefix, length = draw(st.sampled_from(PREFIXES))
    rest = length - len(prefix) - 1
    pan = with_check_digit(prefix + draw(st.text("0123456789", min_size=rest, max_size=rest)))
    # A Diners number that is a French establishment number as well is deliberately left alone.
    return pan if card_brands.brand_of(pan) else "4111111111111111"


@st.composite
def spelled(draw: st.DrawFn) -> str:
    """A card number the way people, forms and documents write one."""
    pan = draw(pans())
    zero = draw(st.sampled_from(DIGITS))
    kind = draw(st.sampled_from(["whole", "fours", "ones", "random groups", "hidden"]))
    if kind == "fours":
        parts = [pan[i : i + 4] for i in range(0, len(pan), 4)]
    elif kind == "ones":
        parts = list(pan)
    elif kind == "random groups" and len(pan) >= 15:
        cuts = draw(st.sets(st.integers(1, len(pan) - 1), min_size=2, max_size=6))
        edges = [0, *sorted(cuts), len(pan)]
        parts = [pan[a:b] for a, b in itertools.pairwise(edges)]
    else:
        parts = [pan]
    one = draw(st.sampled_from(SEPARATORS))
    mixed = kind in ("fours", "ones") and draw(st.booleans())
    text = parts[0]
    for part in parts[1:]:
        text += (draw(st.sampled_from(SEPARATORS)) if mixed else one) + part
    if kind == "hidden":
        text = draw(st.sampled_from(["\u200b", "\u200d", "\u00ad", "\u2060", "\ufeff"])).join(text)
    return "".join(chr(ord(zero) + int(c)) if c.isascii() and c.isdigit() else c for c in text)


WORDS = st.sampled_from(["card: ", "Bitte ", "Zahlung mit ", "ü, ", "(", "カード：", "n° ", "PAN=", "no 12, ", ""])
TAILS = st.sampled_from([" exp 12/27", ", danke", ")", "", "; 123", "=2712", "^", "です", " please"])


@pytest.mark.parametrize(("pan", "brand"), PANS.items())
def test_every_brand_is_found_and_named(pan: str, brand: str) -> None:
    assert cards.find(f"my card {pan}, thanks") == brand


@pytest.mark.parametrize("pan", PANS)
def test_one_wrong_digit_is_no_card(pan: str) -> None:
    assert cards.find(pan[:-1] + str((int(pan[-1]) + 1) % 10)) is None


@given(WORDS, spelled(), TAILS)
@settings(max_examples=800, deadline=None)
def test_a_card_number_is_found_however_it_is_spelled(before: str, pan: str, after: str) -> None:
    text = before + pan + after
    assert cards.find(text) is not None
    assert prefilter.may_hold_number(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111 12/27 123",
        "4111 1111 1111 1111 1227 123",
        "order 12 4111-1111-1111-1111",
        "Visa4111111111111111",
        "%B4111111111111111^DOE/JANE^2712",
        "3782 822463 10005",
        "3056 930902 5904",
        "+4111111111111111",
        "4111.1111.1111.1111",
        "6 7 6 3 0 9008 4111111111111111",
        "9400 4111 1111 1111 1111",
        "4\ufe0f\u20e31\ufe0f\u20e311111111111111",
    ],
)
def test_found_beside_other_digits(text: str) -> None:
    assert cards.find(text)


@pytest.mark.parametrize(
    "text",
    [
        "004111111111111111114111111111",  # inside a longer number
        "41111111111111111",  # seventeen digits
        "+49 4111 1111 111",
        "DE02 5121 0600 4200 5432 03",
        "2026-01-02 10:11:12.123456",
        "30.12.2026 14.30.00",
        "1767348672123456789",
        "4.895167912345678",
        "4006381333931",  # a bar code
        "4915112345678",  # a German mobile number without plus sign
        "38012986646850",  # SIRET
        "9400 4111 1111 1111 1111 08",
        "JJD659743626892541944",
        "48.137,11.3566002020360505",
        "550e8400-e29b-41d4-a716-446655440000",
        "**** **** **** 1111",
        "411111******1111",
        "030 1234567 / 0171 1234567",
        "",
    ],
)
def test_numbers_that_are_something_else(text: str) -> None:
    assert cards.find(text) is None


def test_an_iban_is_not_a_card_though_its_groups_pass() -> None:
    country = next(iban for n in range(10_000) if cards.find((iban := _iban(f"5121060042{n:08d}"))[5:]) and iban)
    assert cards.find(f"refund to {country}") is None
    assert cards.find("refund to " + country.replace("DE", "", 1)) is not None


def _iban(bban: str) -> str:
    check = 98 - int(bban + "131400") % 97
    plain = f"DE{check:02d}{bban}"
    return " ".join(plain[i : i + 4] for i in range(0, len(plain), 4))


def test_phone_fields_need_stricter_evidence() -> None:
    assert cards.find("30569309025904") == "Diners Club"
    assert cards.find("30569309025904", phone=True) is None
    assert cards.find("4222222222222", phone=True) is None
    assert cards.find("+378282246310005", phone=True) is None
    assert cards.find("4111 1111 1111 1111", phone=True) == "Visa"


def test_the_prefilter_knows_every_lead_byte_of_a_digit() -> None:
    leads = {
        chr(c).encode()[0]
        for c in range(0x80, sys.maxunicode + 1)
        if not 0xD800 <= c < 0xE000 and any(d.isdecimal() for d in unicodedata.normalize("NFKC", chr(c)))
    }
    assert leads <= prefilter.DIGIT_LEADS


def test_random_sixteen_digits_are_a_card_about_once_in_thirty() -> None:
    # What an undeclared field with random numbers costs: the reason why identifiers must be declared.
    rng = random.Random(16)
    hits = sum(card_brands.brand_of(str(rng.randrange(10**15, 10**16))) is not None for _ in range(20_000))
    assert 0.01 < hits / 20_000 < 0.04


def test_a_chinese_resident_id_is_not_a_card() -> None:
    ids = [f"620102199001{n:05d}" for n in range(1000, 1400)]
    both = [i + c for i in ids for c in "0123456789" if _is_resident_id(i + c) and card_brands.passes_luhn(i + c)]
    assert both
    assert not any(cards.find(number) for number in both if number[12:14] < "32")


def _is_resident_id(digits: str) -> bool:
    return sum(pow(2, 17 - i, 11) * int(c) for i, c in enumerate(digits)) % 11 == 1


def test_a_long_list_of_numbers_is_judged_in_linear_time() -> None:
    assert cards.find("4 " * 100_000) is None
