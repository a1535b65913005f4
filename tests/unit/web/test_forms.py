"""What people type, before anything is done with it."""

import pytest

from workers.web import forms


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Hello\r\nthere\r ", "Hello\nthere"),
        ("a\x00b\x07c\x1b[31m", "abc[31m"),
        ("e\u0301te\u0301", "été"),
        ("\ud800x", "x"),
        ("x" * 50, "x" * 20),
        ("👩\u200d🔧 1\t2", "👩\u200d🔧 1\t2"),
    ],
)
def test_text_is_plain(typed: str, kept: str) -> None:
    assert forms.text_of({"question": typed}, "question", 20) == kept


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (" Erika@Example.COM ", "erika@example.com"),
        ("erika@bücher.example", "erika@xn--bcher-kva.example"),
        ("erika", None),
        ("a@b.example, c@d.example", None),
        ("x" * 400 + "@example.com", None),
    ],
)
def test_an_address_has_one_spelling(typed: str, found: str | None) -> None:
    assert forms.email_of({"email": typed}) == found


def test_a_field_that_no_person_sees_gives_a_machine_away() -> None:
    assert forms.is_machine({forms.HONEYPOT: "http://spam.example"})
    assert not forms.is_machine({forms.HONEYPOT: ""})
    assert not forms.is_machine({})
