"""One spelling per address; what is refused says why without the address."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.domain.email_address import normalise
from workers.errors import RefusalCode, Refused


@pytest.mark.parametrize(
    ("raw", "spelled"),
    [
        ("erika@example.com", "erika@example.com"),
        (" Erika.Beispiel@Example.COM\n", "erika.beispiel@example.com"),
        ("erika+news@example.com", "erika+news@example.com"),
        ("erika@bücher.example", "erika@xn--bcher-kva.example"),
        ("erika@BÜCHER.example", "erika@xn--bcher-kva.example"),
        ("erika@xn--bcher-kva.example", "erika@xn--bcher-kva.example"),
        ("JO\u0308RG@example.com", "jörg@example.com"),
        ("δοκιμή@παράδειγμα.example", "δοκιμή@xn--hxajbheg2az3al.example"),
        ("o'hara@example.ie", "o'hara@example.ie"),
    ],
)
def test_one_spelling(raw: str, spelled: str) -> None:
    assert normalise(raw) == spelled


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "erika",
        "erika@",
        "@example.com",
        "erika@example",
        "a..b@example.com",
        "erika@exa mple.com",
        "erika beispiel@example.com",
        "Erika <erika@example.com>",
        "erika@example.com, otto@example.com",
        "erika@[192.0.2.1]",
        '"erika beispiel"@example.com',
        "erika@localhost",
        "erika@example.com\nBcc: otto@example.com",
        "erika@example.com\0",
        f"{'x' * 65}@example.com",
        f"erika@{'x' * 250}.com",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(raw: str) -> None:
    with pytest.raises(Refused) as refused:
        normalise(raw)
    assert refused.value.code is RefusalCode.EMAIL_INVALID
    assert refused.value.__context__ is None
    assert refused.value.__cause__ is None
    if len(raw) > 2:
        assert raw not in f"{refused.value!r} {refused.value}"


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=20), st.sampled_from(["example.com", "bücher.example", "ΠΑΡΆΔΕΙΓΜΑ.example"]))
def test_a_spelling_is_stable_and_has_one_at(local: str, domain: str) -> None:
    try:
        spelled = normalise(f"{local}@{domain}")
    except Refused:
        return
    assert normalise(spelled) == spelled
    assert normalise(spelled.upper()).partition("@")[2] == spelled.partition("@")[2]
    assert spelled.count("@") == 1
    assert not any(character.isspace() for character in spelled)
