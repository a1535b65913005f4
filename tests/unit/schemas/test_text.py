"""Single-line text: what is stripped, what is refused, what must stay allowed."""

from __future__ import annotations

import unicodedata

import pytest
from pydantic import ValidationError

from schemas.recipient import Recipient


def recipient(**changed: object) -> Recipient:
    return Recipient.model_validate({"name": "Ada", "lines": ["1 Example Way"], "country_code": "GB", **changed})


@pytest.mark.parametrize("space", [" ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u2028"])
def test_white_space_around_a_text_is_stripped(space: str) -> None:
    assert recipient(name=f"{space}Ada Example{space}").name == "Ada Example"


def control_characters() -> list[str]:
    return [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in ("Cc", "Zl", "Zp")]


def bidirectional_overrides() -> list[str]:
    kinds = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    return [chr(code) for code in range(0x110000) if unicodedata.bidirectional(chr(code)) in kinds]


@pytest.mark.parametrize("characters", [control_characters(), bidirectional_overrides(), list("\u200b\u2060\ufeff")])
@pytest.mark.parametrize("name", ["name", "company", "city", "dependent_locality", "region", "postal_code"])
def test_no_control_override_or_invisible_character_is_accepted(name: str, characters: list[str]) -> None:
    assert len(characters) >= 3
    for character in characters:
        with pytest.raises(ValidationError, match="pattern"):
            recipient(**{name: f"a{character}b"})


@pytest.mark.parametrize("character", [*"\u200c\u200d\u200e\u200f\u00ad'\u2019-\u2013.,/&()#№ªº🏠𠮷", "e\u0301"])
def test_what_real_addresses_are_written_with_is_accepted(character: str) -> None:
    assert recipient(name=f"a{character}b").name == f"a{character}b"


def test_lengths_count_characters_not_bytes() -> None:
    assert recipient(city="𠮷" * 128).city == "𠮷" * 128
    with pytest.raises(ValidationError):
        recipient(city="𠮷" * 129)


@pytest.mark.parametrize("name", ["company", "city", "dependent_locality", "region", "postal_code", "phone", "email"])
@pytest.mark.parametrize("blank", ["", "   ", None])
def test_a_blank_optional_text_is_absent(name: str, blank: str | None) -> None:
    assert getattr(recipient(**{name: blank}), name) is None


@pytest.mark.parametrize("phone", ["+49 30 23125-000", "(202) 555-0143", "01/23.45", "12345", "+" + "1" * 31])
def test_phone_numbers_are_accepted_as_people_write_them(phone: str) -> None:
    assert recipient(phone=phone).phone == phone


@pytest.mark.parametrize("phone", ["1234", "+" + "1" * 32, "0049x30", "tel:12345", "++12345", "١٢٣٤٥"])
def test_what_is_no_phone_number_is_refused(phone: str) -> None:
    with pytest.raises(ValidationError):
        recipient(phone=phone)


@pytest.mark.parametrize("email", ["a@b", "ada+x@mail.example.org", "ådå@exämple.example", "a" * 242 + "@example.org"])
def test_email_addresses_are_checked_for_their_shape_only(email: str) -> None:
    assert recipient(email=email).email == email


@pytest.mark.parametrize("email", ["ada", "@b", "a@", "a@b@c", "a b@c", "a@b\r\nBcc: c@d", "a" * 243 + "@example.org"])
def test_what_is_no_email_address_is_refused(email: str) -> None:
    with pytest.raises(ValidationError):
        recipient(email=email)
