"""What is refused before anything is stored, and that no refusal repeats what it refuses."""

# ruff: noqa: RUF001  # look-alike digits and letters are what is tested
from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.domain import bodies
from tests.unit.domain.test_cards import pans, spelled
from workers import errors
from workers.domain import payment_names, screening

Code = errors.RefusalCode
PAN = "4111111111111111"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def refusal(value: bytes) -> errors.Refused:
    with pytest.raises(errors.Refused) as caught:
        screening.screen(value)
    return caught.value


def encoded(body: object, ascii_only: bool = False) -> bytes:
    return json.dumps(body, ensure_ascii=ascii_only).encode()


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", Code.INVALID_JSON),
        (b"not json", Code.INVALID_JSON),
        (b'{"a":1} x', Code.INVALID_JSON),
        (b'{"a":1}{}', Code.INVALID_JSON),
        (b'{"a":NaN}', Code.INVALID_JSON),
        (b'{"a":-Infinity}', Code.INVALID_JSON),
        (b'{"a":1e999}', Code.INVALID_JSON),
        (b'{"a":01}', Code.INVALID_JSON),
        (b'{"a":1,}', Code.INVALID_JSON),
        (b'\xef\xbb\xbf{"a":1}', Code.INVALID_JSON),
        (b"[1]", Code.INVALID_JSON),
        (b'"a"', Code.INVALID_JSON),
        (b"null", Code.INVALID_JSON),
        (b'{"a":"\xff"}', Code.INVALID_UNICODE),
        (b'{"a":"\xed\xa0\x80"}', Code.INVALID_UNICODE),
        (b'{"a":"\\ud800"}', Code.INVALID_UNICODE),
        (b'{"\\udc00":1}', Code.INVALID_UNICODE),
        (b'{"a":"\\ud800\\u0041"}', Code.INVALID_UNICODE),
        (b'{"a":"\\u0000"}', Code.CONTROL_CHARACTER),
        (b'{"a\\u0000":[1]}', Code.CONTROL_CHARACTER),
        (b'{"a":"x\x00"}', Code.CONTROL_CHARACTER),
        (b'{"a":1,"a":2}', Code.DUPLICATE_KEY),
        (b'{"a":1,"\\u0061":2}', Code.DUPLICATE_KEY),
        (b'{"x":[1,{"y":{"a":"b","a":"b"}}]}', Code.DUPLICATE_KEY),
        (b'{"a" :1,"a":":x"}', Code.DUPLICATE_KEY),
        (b'{"a":"\\"","a":":x"}', Code.DUPLICATE_KEY),
        (b'{"a":' * 33 + b"1" + b"}" * 33, Code.TOO_DEEP),
        (b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", Code.TOO_DEEP),
        (b'{"a":' * 990 + b"1" + b"}" * 990, Code.TOO_DEEP),
        (b"[" * 100_000, Code.TOO_DEEP),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", Code.TOO_DEEP),
        (b'{"a":18446744073709551616}', Code.INVALID_FIELD),
        (b'{"a":' + b"9" * 100 + b"}", Code.INVALID_FIELD),
        (b'{"a":' + b"9" * 5000 + b"}", Code.INVALID_JSON),
        (b'{"a":"' + b"x" * 2_000_000 + b'"}', Code.BODY_TOO_LARGE),
    ],
)
def test_a_broken_body_is_refused_and_kept_sealed(value: bytes, code: Code) -> None:
    refused = refusal(value)
    assert refused.code is code
    assert refused.keep_body


def test_depth_hidden_behind_a_key_given_twice_is_survived() -> None:
    assert refusal(b'{"a":' + b"[" * 900 + b"]" * 900 + b',"a":1}').code in (
        Code.TOO_DEEP,
        Code.DUPLICATE_KEY,
    )


@pytest.mark.parametrize(
    "value",
    [
        b"{}",
        b' {"a" : 1}\n',
        b'{"a":"\\ud83d\\ude00"}',
        b'{"a":"\\\\u0000"}',
        b'{"a":18446744073709551615,"b":-9223372036854775808,"c":1.5e300}',
        b'{"a":{"b":1},"c":{"b":1}}',
        b'{"a":' * 32 + b"1" + b"}" * 32,
        b'{"a":"\\"","b":":"}',
    ],
)
def test_a_sound_body_is_returned_parsed(value: bytes) -> None:
    assert screening.screen(value) == json.loads(value)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"note": f"my card is {PAN} thanks"}, "note"),
        ({"ship_to": {"lines": ["Main St 1", "4111 1111 1111 1111"]}}, "ship_to.lines[1]"),
        ({"ship_to": {"phone": "4111-1111-1111-1111"}}, "ship_to.phone"),
        ({"x": {"y": [{"z": int(PAN)}]}}, "x.y[0].z"),
        ({"x": float(PAN)}, "x"),
        ({"x": -int(PAN)}, "x"),
        ({PAN: 1}, "(name withheld)"),
        ({"a": {"4111 1111 1111 1111": None}}, "a.(name withheld)"),
        ({"order_id": f"card {PAN}"}, "order_id"),
        ({"ship_to": {"order_id": PAN}}, "ship_to.order_id"),
        ({"note": "４１１１ １１１１ １１１１ １１１１"}, "note"),
        ({"note": "4111\n1111\n1111\n1111"}, "note"),
        ({"note": '"4111/1111/1111/1111"'}, "note"),
    ],
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_card_number_is_refused_wherever_it_is_and_never_kept(body: object, field: str, ascii_only: bool) -> None:
    refused = refusal(encoded(body, ascii_only))
    assert (refused.code, refused.field, refused.keep_body) == (Code.CARD_DATA, field, False)


@pytest.mark.parametrize(
    "value",
    [
        b'{"note":"4111 1111 1111 1111"',
        b'{"a":"4111111111111111","a":1}',
        b'{"a":"\\u0034111111111111111","b":"\\ud800"}',
        '{"a":"4111111111111111"}'.encode("utf-16"),
        b'{"cvv":"123",',
        b'{"a":"\\u0000","cvv":"123"}',
        b"[" * 50_000 + b'"4111111111111111"',
    ],
)
def test_card_data_in_a_broken_body_is_not_kept_either(value: bytes) -> None:
    refused = refusal(value)
    assert (refused.code, refused.keep_body) == (Code.CARD_DATA, False)


@pytest.mark.parametrize("held", [b"4111 1111 1111 1111", b'","cvv":"123'])
def test_a_body_that_is_too_large_is_not_kept_with_a_trace_of_card_data(held: bytes) -> None:
    refused = refusal(b'{"a":"' + b"x" * 300_000 + held + b'"}')
    assert (refused.code, refused.keep_body) == (Code.BODY_TOO_LARGE, False)


@pytest.mark.parametrize(
    "body",
    [
        {"card_number": "x"}, {"cardNumber": "1"}, {"CARD-NO": 12345}, {"creditCardNumber": "tok"},
        {"pan": "1234 5678"}, {"cvv": "123"}, {"CVV2": 123}, {"cvc": "0000"}, {"csc": "1"},
        {"security_code": "9"},
        {"cvv_1": "123"},
        {"ｃｖｖ": "123"}, {"card_expiry": "12/27"}, {"cardExpMonth": 12}, {"exp_year": 2027},
        {"track1": "B"}, {"track2_data": "x"}, {"payment": {"card": {"number": "x"}}},
        {"payment": {"cards": [{"expiry": "12/27"}]}}, {"a": [{"b": {"cvc": "1"}}]}, {"card.number": "1"},
        {"cvv": ["1"]}, {"note_attributes": [{"name": "CVV", "value": "123"}]}, {"payment_card_number": "1"},
    ],
)  # fmt: skip
def test_a_filled_payment_field_is_refused_by_its_name(body: object) -> None:
    refused = refusal(encoded(body))
    assert (refused.code, refused.keep_body) == (Code.CARD_DATA, False)


@pytest.mark.parametrize(
    "body",
    [
        {"card_number": None}, {"cvv": ""}, {"cvv": "***"}, {"card": {}}, {"pan": []}, {"cvc": False},
        {"card_last4": "1111"}, {"card_number": "**** **** **** 1111"}, {"card_number": "411111******1111"},
        {"card": {"last4": "1111", "brand": "visa"}}, {"company": "Pan Ltd"}, {"panel": "12"}, {"span": 3},
        {"japan": "x"}, {"discard": "1"}, {"gift_card_number": "AB-12"}, {"card_message": "Happy birthday"},
        {"pin": "560001"}, {"iban": "DE02 1203 0000 0000 2020 51"}, {"cid": "1"}, {"number": "12"},
        {"pan": "ABCDE1234F"}, {"service_code": "5"}, {"postcard": "1"}, {"amount": {"value": 19.9}},
        {"expiry": "2026-12-31"}, {"tracking": "x"}, {"track": "x"}, {"credit_card": {"type": "visa"}},
    ],
)  # fmt: skip
def test_names_that_only_look_like_payment_fields_pass(body: object) -> None:
    assert screening.screen(encoded(body)) == body


def test_every_payment_name_is_noticed_by_the_fast_look() -> None:
    for name in payment_names._NAMES:
        numbered = name if name[-1].isdigit() else name + "_2"
        for form in (name, name.upper(), "-".join(name), numbered):
            assert payment_names.is_suspect(form), form


@given(st.text("0123456789", min_size=13, max_size=19) | pans())
@settings(max_examples=500)
def test_declared_identifiers_are_never_refused(digits: str) -> None:
    screening.screen(encoded({"order_id": digits, "customer_ref": digits, "shipment_id": digits}))
    screening.screen(encoded({"specversion": "1.0", "id": digits, "data": {"order_id": digits}}))
    assert screening.screen_key(digits.encode()) == digits


@given(spelled(), st.sampled_from(["note", "name", "whatever"]), st.booleans(), st.booleans())
@settings(max_examples=500, deadline=None)
def test_a_card_in_a_realistic_order_is_found(pan: str, field: str, ascii_only: bool, inside: bool) -> None:
    order = bodies.order(random.Random(pan))
    target = order["ship_to"] if inside else order
    assert isinstance(target, dict)
    target[field] = f"bitte {pan} nehmen"
    refused = refusal(encoded(order, ascii_only))
    assert (refused.code, refused.keep_body) == (Code.CARD_DATA, False)


@pytest.mark.parametrize("seed", range(10))
def test_honest_orders_are_never_suspected(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(2_000):
        screening.screen(bodies.body(rng))


CANARY = "Zanzibarowa"


@given(spelled() | pans() | st.text("0123456789", min_size=4), st.integers(0, 9))
@settings(max_examples=400, deadline=None)
def test_no_refusal_repeats_what_it_refuses(digits: str, form: int) -> None:
    said = f"{CANARY} {digits}"
    values = [
        encoded({"note": f"{said} {PAN}"}), encoded({f"{said} {PAN}": 1}), encoded({"cvv": said}),
        encoded({said: {"cvv": said}}), encoded({"a": said})[:-1], encoded({"a": f"{said}\0"}),
        b'{"%s":1,"%s":2}' % (said.encode(), said.encode()), encoded([said]),
        encoded({said: [[[said + "\0"]]]}), b'{"a":"' + said.encode() + b'\xff"}',
    ]  # fmt: skip
    text = str(refusal(values[form]))
    assert CANARY not in text
    assert not re.search(r"\d{4}", text)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (None, "no key"), (b"", "no key"), (b"\xff", "UTF-8"), (b"jane@example.com", "e-mail"),
        (b"JANE@EXAMPLE.COM", "e-mail"), (b"jane%40example.com", "e-mail"),
        (b"jane%2540example.com", "e-mail"),
        (b" jane @ example.com ", "e-mail"), (b"Jane <jane@example.com>", "e-mail"),
        ("jane@bücher.example".encode(), "e-mail"), ("jane＠example.com".encode(), "e-mail"),
        (b"a b", "customer reference"), (b"-a", "customer reference"), (b"a" * 65, "customer reference"),
        (b"a" * 1025, "longer"), (b"a\n", "customer reference"), (b"a\0", "customer reference"),
    ],
)  # fmt: skip
def test_keys_that_are_no_customer_reference(key: bytes | None, said: str) -> None:
    with pytest.raises(errors.Refused, match=said) as caught:
        screening.screen_key(key)
    assert caught.value.code is Code.KEY_INVALID


def test_a_key_is_the_reference_and_a_card_number_only_by_chance() -> None:
    assert screening.screen_key(b"cust:88.412_A-1") == "cust:88.412_A-1"
    assert screening.screen_key(PAN.encode()) == PAN
    with pytest.raises(errors.Refused) as caught:
        screening.screen_key(b"4111 1111 1111 1111")
    assert (caught.value.code, caught.value.keep_body) == (Code.CARD_DATA, False)


@pytest.mark.parametrize("offset_s", [3600, 0, -400 * 86400])
def test_plausible_times_pass(offset_s: int) -> None:
    screening.check_time(NOW + timedelta(seconds=offset_s), NOW)


@pytest.mark.parametrize("time", [NOW + timedelta(seconds=3601), NOW - timedelta(days=401), NOW.replace(tzinfo=None)])
def test_implausible_times_are_refused(time: datetime) -> None:
    with pytest.raises(errors.Refused) as caught:
        screening.check_time(time, NOW)
    assert caught.value.code is Code.TIME_IMPLAUSIBLE


def test_may_be_kept_judges_a_body_that_screen_never_saw() -> None:
    assert screening.may_be_kept(None)
    assert screening.may_be_kept(b"not json")
    assert not screening.may_be_kept(encoded({"note": PAN}))
    assert not screening.may_be_kept(b'{"note":"4111 1111 1111 1111')
