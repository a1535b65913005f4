"""Headers: injection, card numbers, e-mail addresses and size."""

from __future__ import annotations

import pytest

from workers import errors
from workers.domain import screening

Code = errors.RefusalCode
CLEAN: list[tuple[str, bytes | None]] = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"550e8400-e29b-41d4-a716-446655440000"),
    ("ce_source", b"//shop.example.com/orders"),
    ("ce_type", b"order.placed"),
    ("ce_time", b"2026-01-02T10:00:00.123456Z"),
    ("content-type", b"application/json"),
]


@pytest.mark.parametrize(
    "extra",
    [
        [],
        [("ce_id", b"4111111111111111")],
        [("ce_subject", b"4111111111111111")],
        [("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")],
        [("tracestate", b"fw529a3039@dt=FfAAA")],
        [("schema-id", b"\x00\x00\x00\x00\x07")],
        [("empty", None), ("other", b"")],
        [("shop-name", "Bücherstube".encode())],
    ],
)
def test_ordinary_headers_pass(extra: list[tuple[str, bytes | None]]) -> None:
    screening.screen_headers(CLEAN + extra)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("ce_source", b"//shop\r\nx-evil: 1", Code.CONTROL_CHARACTER),
        ("ce_source", b"//shop\x00", Code.CONTROL_CHARACTER),
        ("ce_subject", b"a\x1b[31m", Code.CONTROL_CHARACTER),
        ("ce_subject", "a\u2028b".encode(), Code.CONTROL_CHARACTER),
        ("x-note", b"a\r\nb", Code.CONTROL_CHARACTER),
        ("x\nnote", b"a", Code.CONTROL_CHARACTER),
        ("ce_source", b"\xff", Code.HEADER_INVALID),
        ("ce_subject", b"jane@example.com", Code.HEADER_INVALID),
        ("ce_source", b"//shop/jane%40example.com", Code.HEADER_INVALID),
        ("x-user", b"jane@example.com", Code.HEADER_INVALID),
        ("x-large", b"x" * 17_000, Code.HEADER_INVALID),
        ("ce_subject", b"card 4111111111111111", Code.CARD_DATA),
        ("x-note", b"4111-1111-1111-1111", Code.CARD_DATA),
        ("x-4111111111111111", b"a", Code.CARD_DATA),
    ],
)
def test_headers_that_are_refused(name: str, value: bytes, code: Code) -> None:
    with pytest.raises(errors.Refused) as caught:
        screening.screen_headers([*CLEAN, ("none", None), (name, value)])
    assert caught.value.code is code
    assert caught.value.keep_body is (code is not Code.CARD_DATA)
    assert "4111" not in str(caught.value)
    assert "jane" not in str(caught.value)


def test_too_many_headers_are_refused() -> None:
    with pytest.raises(errors.Refused, match="more than 64 headers"):
        screening.screen_headers([("a", b"b")] * 65)
