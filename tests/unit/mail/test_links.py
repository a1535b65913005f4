"""Links in mails: each opens one thing, and only the keyring that made it."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.mail import links
from workers.vault.keyring import LOOKUP_PURPOSES, Keyring

RING = Keyring({1: bytes(32)}, {purpose: purpose.encode() * 2 for purpose in LOOKUP_PURPOSES})
OTHER = Keyring({1: bytes(32)}, dict.fromkeys(LOOKUP_PURPOSES, b"x" * 32))


@given(st.integers(0, 2**63 - 1), st.from_regex(r"[a-z][a-z-]{0,30}", fullmatch=True))
def test_a_token_names_its_subscription(contact_id: int, purpose: str) -> None:
    token = links.unsubscribe_token(RING, contact_id, purpose)
    assert links.read_unsubscribe_token(RING, token) == (contact_id, purpose)
    assert links.read_unsubscribe_token(OTHER, token) is None
    assert links.read_bounce_token(RING, token) is None
    assert token.replace("-", "").replace("_", "").isalnum()


def test_a_changed_token_names_nothing() -> None:
    token = links.unsubscribe_token(RING, 7, "newsletter")
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    for place in range(len(raw)):
        changed = raw.copy()
        changed[place] ^= 1
        assert links.read_unsubscribe_token(RING, base64.urlsafe_b64encode(changed).decode().rstrip("=")) is None


@pytest.mark.parametrize("token", ["", "=", "a", "ä", "%2e", "x" * 4000, "AAAA", "../../etc"])
def test_what_is_no_token_names_nothing(token: str) -> None:
    assert links.read_unsubscribe_token(RING, token) is None
    assert links.read_bounce_token(RING, token) is None


def test_an_address_carries_a_token_there_and_back() -> None:
    token = links.bounce_token(RING, 42)
    address = links.tagged("bounces@shop.example", token)
    assert address == f"bounces+{token}@shop.example"
    assert links.read_bounce_token(RING, links.tag_of(address) or "") == 42
    assert links.tag_of("bounces@shop.example") is None
    assert len(address.partition("@")[0]) <= 64, "RFC 5321, 4.5.3.1.1"


@pytest.mark.parametrize("purpose", ["x", "newsletter", "a_purpose_with_a_name_of_32_lett"])
def test_a_tag_fits_into_a_mail_address_whatever_the_purpose_is_called(purpose: str) -> None:
    tag = links.unsubscribe_tag(RING, 2**62, purpose)
    address = links.tagged("u" * links.UNSUBSCRIBE_ROOM + "@shop.example", tag)
    assert len(address.partition("@")[0]) == 64, "RFC 5321, 4.5.3.1.1"
    found = links.read_unsubscribe_tag(RING, links.tag_of(address) or "")
    assert found is not None
    assert (found.contact_id, found.is_about(purpose), found.is_about("other")) == (2**62, True, False)
    assert links.read_unsubscribe_tag(OTHER, tag) is None
    assert links.read_unsubscribe_token(RING, tag) is None
    assert links.read_unsubscribe_tag(RING, links.unsubscribe_token(RING, 7, purpose)) is None


def test_a_bounce_tag_fits_too() -> None:
    address = links.tagged("b" * links.BOUNCE_ROOM + "@shop.example", links.bounce_token(RING, 2**62))
    assert len(address.partition("@")[0]) == 64


def test_a_message_id_names_its_mail_in_any_case_and_a_changed_one_names_none() -> None:
    made = links.message_id(RING, 42, "shop.example")
    assert links.read_message_id(RING, made, "shop.example") == 42
    assert links.read_message_id(RING, made.upper(), "Shop.Example") == 42
    assert links.read_message_id(RING, made, "other.example") is None
    for changed in (
        "43" + made[2:],
        made.replace("@", "0@"),
        made[:3] + "0" * 16 + "@shop.example",
        "",
        "@",
        "x",
        "٤٢.",
    ):
        assert links.read_message_id(RING, changed, "shop.example") is None
