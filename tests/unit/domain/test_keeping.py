"""A refused record is kept, sealed, only if card data is in no part of it."""

import base64

import pytest

from workers.domain.keeping import may_be_kept

PAN = "4111 1111 1111 1111"
HIDDEN = base64.b64encode(b'{"note":"4111 1111 1111 1111"}').decode()


def kept(
    key: bytes | None = b"c1", headers: list[tuple[str, bytes | None]] | None = None, value: bytes | None = b"{}"
) -> bool:
    return may_be_kept(key, headers or [("ce_id", b"e1")], value)


@pytest.mark.parametrize("key", [None, b"", b"c1", b"4111111111111111", b"erika@example.com", b"\xff\x00"])
def test_a_key_without_card_data_is_no_obstacle(key: bytes | None) -> None:
    assert kept(key=key)


@pytest.mark.parametrize("key", [PAN.encode(), b"4111111111111111/a", b"\xff" + PAN.encode()])
def test_a_card_number_as_key(key: bytes) -> None:
    assert not kept(key=key)


@pytest.mark.parametrize("name", ["ce_id", "ce_subject"])
def test_an_identifier_of_sixteen_digits_is_one_in_its_own_header_only(name: str) -> None:
    assert kept(headers=[(name, b"4111111111111111")])
    assert not kept(headers=[("x-note", b"4111111111111111")])


@pytest.mark.parametrize(
    "headers",
    [
        [("x", b"a@example.com"), ("y", PAN.encode())],
        [("ce_id", PAN.encode())],
        [(PAN, b"1")],
        [*[(f"x{number}", b"1") for number in range(100)], ("y", PAN.encode())],
        [("x", b"\xff" * 20_000 + PAN.encode())],
    ],
    ids=["behind an e-mail", "as id", "as a name", "behind many", "behind much"],
)
def test_a_card_number_in_a_header(headers: list[tuple[str, bytes | None]]) -> None:
    assert not kept(headers=headers)


def test_headers_without_a_value_are_no_obstacle() -> None:
    assert kept(headers=[("x", None), ("y", b"")])


@pytest.mark.parametrize(
    "value", [None, b"", b"{}", b"not json", b'{"data_base64":"e30="}', b'{"a":"data\\u005fbase64"}']
)
def test_a_body_without_card_data_is_kept(value: bytes | None) -> None:
    assert kept(value=value)


@pytest.mark.parametrize(
    "value",
    [
        f'{{"note":"{PAN}"}}',
        f'{{"note":"{PAN}',
        f'{{"data_base64":"{HIDDEN}"}}',
        f'{{"data\\u005fbase64":"{HIDDEN}"}}',
        f'{{"data_base64":"{HIDDEN}!"}}',
        f'{{"data_base64":"{HIDDEN}"',
        '{"data_base64":17}',
    ],
)
def test_a_body_with_card_data_or_one_that_cannot_be_judged_is_not(value: str) -> None:
    assert not kept(value=value.encode())
