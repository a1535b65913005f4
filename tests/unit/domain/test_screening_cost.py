"""A body that is made to be slow costs in proportion to its size: eight times as long, not sixty-four times as dear."""

import contextlib
import gc
import json
import statistics
import time
from collections.abc import Callable

import pytest

from workers import errors
from workers.domain import screening

SMALL_BYTES, FACTOR = 24 * 1024, 8
# Linear is 8, square is 64. Between them lies the noise of a busy machine.
MOST = 28.0
NOISE_S = 0.004
#: Makes sure that a body is looked at field by field: 13 digits in reach, behind an escape.
CLOSELY = {"note": '4111\n1111 1111 1112"'}


def dumps(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def members(size: int) -> dict[str, int]:
    return {f"{number:05x}": 1 for number in range(size // 18)}


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "a key twice at the very beginning": lambda n: (
        b'{"00000":1,' + b",".join(b'"%05x":1' % number for number in range(n // 9)) + b"}"
    ),
    "every key twice": lambda n: b"{" + b",".join(b'"%04x":1' % (number // 2) for number in range(n // 8)) + b"}",
    "combining marks to be sorted": lambda n: dumps({"note2": "a" + "\u0316\u0300" * (n // 4), **CLOSELY}),
    "combining marks in the wrong order": lambda n: dumps({"n": "\u0300" * (n // 4) + "\u0316" * (n // 4), **CLOSELY}),
    "combining marks in broken JSON": lambda n: dumps({"note": "\u0300\u0316" * (n // 4) + "4111111111111112"})[:-1],
    "combining marks in a name": lambda n: dumps({"a" + "\u0300\u0316" * (n // 4): 1, **CLOSELY}),
    "many members below a long name": lambda n: dumps({"p" * (n // 2): members(n), **CLOSELY}),
    "many members below a long payment name": lambda n: dumps({"_" * (n // 2) + "card": members(n), **CLOSELY}),
    "many members below a long number": lambda n: dumps({"1" * (n // 2): members(n), **CLOSELY}),
    "a long list below a long name": lambda n: dumps({"cvv" + "0" * (n // 2): [""] * (n // 6), **CLOSELY}),
    "a long list of objects below a long name": lambda n: dumps({"p" * (n // 2): [{"a": 1}] * (n // 16), **CLOSELY}),
    "digits one by one": lambda n: dumps({"note": "4 " * (n // 2), **CLOSELY}),
    "digits in fours": lambda n: dumps({"note": "4111 " * (n // 5), **CLOSELY}),
    "one long number": lambda n: dumps({"note": "4" * n, **CLOSELY}),
    "numbers that are nearly cards": lambda n: dumps({"note": "4111111111111112, " * (n // 18), **CLOSELY}),
    "digits of other scripts": lambda n: dumps({"note": "\u0661" * (n // 2)}),
    "one ligature that stands for many letters": lambda n: dumps({"note": "\ufdfa" * (n // 3) + "4111111111111112"}),
    "bank accounts": lambda n: dumps({"note": "DE44 5001 0517 5407 3249 31 " * (n // 28), **CLOSELY}),
    "a masked code": lambda n: dumps({"cvv": "1 " * 5 + "*" * n + "x", **CLOSELY}),
    "broken JSON full of names": lambda n: b'{"a":' + b'"cvv":"****",' * (n // 13),
    "broken JSON full of quotation marks": lambda n: b'{"' + b'"' * n,
    "broken JSON full of escapes": lambda n: b'{"a":"' + b"\\u0034" * (n // 6),
    "spaces behind a name": lambda n: b'{"a"' + b" " * n,
    "lists in lists": lambda n: b'{"a":' + b"[" * (n // 2) + b"]" * (n // 2) + b"}",
    "nothing but empty objects": lambda n: dumps({"l": [{}] * (n // 3), **CLOSELY}),
}


def cost_s(body: bytes) -> float:
    """CPU seconds to judge it, in the middle of three times.

    Without the collector of cycles: it would look through all that earlier tests of this process have left behind.
    """

    def once() -> float:
        gc.disable()
        try:
            started_s = time.process_time()
            with contextlib.suppress(errors.Refused):
                screening.screen(body, max_body_bytes=2**30)
            return time.process_time() - started_s
        finally:
            gc.enable()

    return statistics.median(once() for _ in range(3))


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_body_costs_in_proportion_to_its_size(kind: str) -> None:
    small, large = HOSTILE[kind](SMALL_BYTES), HOSTILE[kind](FACTOR * SMALL_BYTES)
    assert cost_s(large) < MOST * cost_s(small) + NOISE_S


def test_a_name_is_judged_alike_however_it_is_padded() -> None:
    for name in ("_" * 500 + "card" + "_" * 500 + "number", "cvv" + "0" * 500, "C.V.V" + " " * 9000):
        with pytest.raises(errors.Refused) as refused:
            screening.screen(dumps({name: "123"}))
        assert refused.value.code == errors.RefusalCode.CARD_DATA
    for name in ("x" * 500 + "cvv", "cvv" + "x" * 500, "cvv" + "0" * 500 + "x"):
        assert screening.screen(dumps({name: "123"}))


def test_a_card_number_behind_many_combining_marks_is_found() -> None:
    for marks in ("\u0316\u0300" * 2000, "\u0300" * 1021):
        for spread in ("4111111111111111", "4111 1111 1111 1111", "\uff14" + "\uff11" * 15):
            for place in (marks + spread, spread + marks, "a" + marks.join(spread)):
                with pytest.raises(errors.Refused) as refused:
                    screening.screen(dumps({"note": place}))
                assert refused.value.code == errors.RefusalCode.CARD_DATA


def test_the_last_key_that_was_given_twice_is_named() -> None:
    with pytest.raises(errors.Refused) as refused:
        screening.screen(b'{"first":1,"second":1,"first":2,"second":2,"third":1}')
    assert (refused.value.code, refused.value.field) == (errors.RefusalCode.DUPLICATE_KEY, "second")
