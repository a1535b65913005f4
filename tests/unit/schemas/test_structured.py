"""Structured mode: one JSON object; the body rules."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import envelope
from schemas.attributes import CloudEvent
from schemas.errors import ContractCode, EnvelopeError

CONTENT_TYPE = b"application/cloudevents+json; charset=UTF-8"
BODY: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/shop",
    "type": "order.placed",
    "time": "2026-11-23T10:15:30+01:00",
    "datacontenttype": "application/json",
    "data": {"order_id": "SO-1", "name": "Jörg"},
}


def parse(value: bytes | None, **headers: bytes) -> CloudEvent:
    return envelope.parse([("content-type", CONTENT_TYPE), *headers.items()], value)


def body(**changed: object) -> bytes:
    return json.dumps({name: value for name, value in {**BODY, **changed}.items() if value is not ...}).encode()


def refused(value: bytes | None, **headers: bytes) -> tuple[ContractCode, str | None]:
    with pytest.raises(EnvelopeError) as error:
        parse(value, **headers)
    assert "secret" not in str(error.value)
    return error.value.code, error.value.field


def test_a_structured_event_is_the_same_event_as_a_binary_one() -> None:
    event = parse(body(subject="SO-1", dataschema="urn:lethe:order.placed:v1"))
    assert event == CloudEvent(
        id="e-1",
        source="/shop",
        type="order.placed",
        time=datetime(2026, 11, 23, 9, 15, 30, tzinfo=UTC),
        subject="SO-1",
        dataschema="urn:lethe:order.placed:v1",
        data='{"order_id":"SO-1","name":"Jörg"}'.encode(),
    )
    assert envelope.parse(envelope.to_headers(event), event.data) == event


def test_data_may_be_base64() -> None:
    encoded = base64.b64encode(b'{"order_id":"SO-1"}').decode()
    assert parse(body(data=..., data_base64=encoded)).data == b'{"order_id":"SO-1"}'


@pytest.mark.parametrize("wrong", ["secret!", "ab", 17, None])
def test_data_that_is_not_base64_is_refused(wrong: object) -> None:
    assert refused(body(data=..., data_base64=wrong)) == (ContractCode.INVALID_FIELD, "data_base64")


def test_data_twice_is_refused() -> None:
    assert refused(body(data_base64="e30=")) == (ContractCode.INVALID_FIELD, "data_base64")


def test_an_event_may_be_without_data() -> None:
    assert parse(body(data=...)).data is None


def test_other_attributes_are_extensions() -> None:
    event = parse(body(traceparent="00-ab", sequence=17, replayed=True))
    assert event.extensions == {"traceparent": "00-ab", "sequence": "17", "replayed": "true"}


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "time"])
@pytest.mark.parametrize("value", [..., None])
def test_a_required_attribute_that_is_missing_is_named(name: str, value: object) -> None:
    assert refused(body(**{name: value})) == (ContractCode.HEADER_MISSING, name)


@pytest.mark.parametrize("name", ["specversion", "id", "time", "subject", "dataschema", "datacontenttype"])
@pytest.mark.parametrize("value", ["", 17, ["secret"], "s" * 256])
def test_an_attribute_must_be_text_of_some_length(name: str, value: object) -> None:
    assert refused(body(**{name: value})) == (ContractCode.HEADER_INVALID, name)


def test_an_attribute_with_a_control_character_is_refused() -> None:
    assert refused(body(id="secret\r\n")) == (ContractCode.CONTROL_CHARACTER, "id")


@pytest.mark.parametrize(
    ("name", "value"),
    [("specversion", "0.3"), ("datacontenttype", "text/plain"), ("time", "2026-11-23T10:15:30")],
)
def test_a_wrong_attribute_is_named(name: str, value: str) -> None:
    assert refused(body(**{name: value})) == (ContractCode.HEADER_INVALID, name)


@pytest.mark.parametrize("name", ["Secret", "a-secret", "secret" * 4, "sécret"])
def test_an_extension_with_a_name_that_cloudevents_does_not_allow_is_refused_unnamed(name: str) -> None:
    assert refused(body(**{name: "x"})) == (ContractCode.HEADER_INVALID, "extension")


def test_an_extension_must_be_simple() -> None:
    assert refused(body(nested={"secret": 1})) == (ContractCode.HEADER_INVALID, "nested")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, ContractCode.INVALID_JSON),
        (b"", ContractCode.INVALID_JSON),
        (b"{", ContractCode.INVALID_JSON),
        (b"[]", ContractCode.INVALID_JSON),
        (b'{"id": NaN}', ContractCode.INVALID_JSON),
        (b"\xef\xbb\xbf{}", ContractCode.INVALID_JSON),
        ('{"id":"é"}'.encode("latin-1"), ContractCode.INVALID_UNICODE),
        ('{"id":"e"}'.encode("utf-16"), ContractCode.INVALID_UNICODE),
        (b'{"a":' * 100_000, ContractCode.TOO_DEEP),
        (b'{"id":"a","id":"b"}', ContractCode.DUPLICATE_KEY),
        (b'{"data":{"secret":1,"secret":2}}', ContractCode.DUPLICATE_KEY),
    ],
)
def test_a_body_that_is_no_plain_json_object_is_refused(value: bytes | None, code: ContractCode) -> None:
    assert refused(value)[0] == code


def test_half_a_surrogate_pair_in_the_data_is_refused() -> None:
    assert refused(body(data="\ud800")) == (ContractCode.INVALID_UNICODE, "data")


def test_half_a_surrogate_pair_in_an_attribute_is_refused() -> None:
    assert refused(body(id="\ud800")) == (ContractCode.CONTROL_CHARACTER, "id")


def test_a_number_out_of_range_is_refused() -> None:
    value = body().replace(b'"SO-1"', b"1e999")
    assert refused(value) == (ContractCode.INVALID_JSON, "data")


def test_headers_beside_the_body_must_say_the_same() -> None:
    assert parse(body(), ce_id=b"e-1", ce_type=b"order.placed") == parse(body())
    assert refused(body(), ce_id=b"secret") == (ContractCode.HEADER_INVALID, "ce_id")
    assert refused(body(), ce_subject=b"secret") == (ContractCode.HEADER_INVALID, "ce_subject")
    assert refused(body(), ce_secret=b"x") == (ContractCode.HEADER_INVALID, "ce_*")


@given(st.binary() | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(lambda x: body(data=x)))
def test_whatever_arrives_is_read_or_refused(value: bytes) -> None:
    with suppress(EnvelopeError):
        parse(value)
