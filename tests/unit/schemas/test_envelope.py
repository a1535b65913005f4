"""Binary mode: what a record's headers must say, and what is refused."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import envelope
from schemas.attributes import CloudEvent
from schemas.errors import ContractCode, EnvelopeError

HEADERS = {
    "ce_specversion": b"1.0",
    "ce_id": b"6f1b2c1e-0a64-4a39-9a52-1d9e3d2c6f11",
    "ce_source": b"https://shop.example.com/orders",
    "ce_type": b"order.placed",
    "ce_time": b"2026-11-23T10:15:30.123456Z",
    "ce_subject": b"SO-1",
    "ce_dataschema": b"urn:lethe:order.placed:v1",
    "content-type": b"application/json",
}
REQUIRED = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time")


def parse(changed: dict[str, bytes | None] | None = None, value: bytes | None = b"{}") -> CloudEvent:
    headers = {**HEADERS, **(changed or {})}
    return envelope.parse([(name, raw) for name, raw in headers.items() if raw is not None], value)


def refused(changed: dict[str, bytes | None]) -> tuple[ContractCode, str | None]:
    with pytest.raises(EnvelopeError) as error:
        parse(changed)
    for raw in changed.values():
        if raw is not None and len(raw) > 4:
            assert raw.decode(errors="ignore") not in str(error.value)
    return error.value.code, error.value.field


def test_a_binary_event_is_read() -> None:
    event = parse(value=b'{"a":1}')
    assert event == CloudEvent(
        id="6f1b2c1e-0a64-4a39-9a52-1d9e3d2c6f11",
        source="https://shop.example.com/orders",
        type="order.placed",
        time=datetime(2026, 11, 23, 10, 15, 30, 123456, tzinfo=UTC),
        subject="SO-1",
        dataschema="urn:lethe:order.placed:v1",
        data=b'{"a":1}',
    )


def test_an_event_is_frozen() -> None:
    with pytest.raises(AttributeError):
        parse().id = "another"  # type: ignore[misc]  # that is the test


def test_subject_dataschema_and_content_type_may_be_left_out() -> None:
    event = parse({"ce_subject": None, "ce_dataschema": None, "content-type": None})
    assert (event.subject, event.dataschema) == (None, None)


def test_a_record_without_value_is_a_tombstone() -> None:
    assert parse({"content-type": None}, value=None).data is None


def test_other_ce_headers_are_extensions_and_other_headers_are_not() -> None:
    event = parse({"ce_reason": b"erased", "traceparent": b"\x00\xff"})
    assert event.extensions == {"reason": "erased"}


@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_header_that_is_missing_is_named(name: str) -> None:
    assert refused({name: None}) == (ContractCode.HEADER_MISSING, name)


def test_a_record_without_any_cloudevents_header_is_told_so() -> None:
    with pytest.raises(EnvelopeError, match="as are all CloudEvents headers"):
        envelope.parse([], b"{}")


@pytest.mark.parametrize("name", [name for name in HEADERS if name != "content-type"])
def test_an_empty_header_is_refused(name: str) -> None:
    assert refused({name: b""}) == (ContractCode.HEADER_INVALID, name)


@pytest.mark.parametrize("name", ["ce_id", "ce_source", "ce_type", "ce_subject", "ce_dataschema"])
def test_a_header_of_255_characters_is_accepted_and_a_longer_one_refused(name: str) -> None:
    parse({name: ("é" * 255).encode()})
    assert refused({name: b"x" * 256}) == (ContractCode.HEADER_INVALID, name)


def test_a_header_that_kafka_carries_without_a_value_is_refused() -> None:
    headers = [(name, raw) for name, raw in HEADERS.items() if name != "ce_subject"]
    with pytest.raises(EnvelopeError, match="is empty"):
        envelope.parse([*headers, ("ce_id2", None)], b"{}")  # type: ignore[list-item]  # as clients hand it over


@pytest.mark.parametrize("name", ["ce_id", "ce_source", "ce_type", "ce_subject", "ce_reason"])
@pytest.mark.parametrize("smuggled", ["\r\nce_type: x", "\0", "\x7f", "\x85", "\u2028", "\u202e", "\ufeff"])
def test_nothing_can_be_smuggled_through_a_header(name: str, smuggled: str) -> None:
    assert refused({name: f"abc{smuggled}".encode()}) == (ContractCode.CONTROL_CHARACTER, name)


def test_a_header_that_is_not_utf_8_is_refused() -> None:
    assert refused({"ce_id": b"\xff\xfe"}) == (ContractCode.INVALID_UNICODE, "ce_id")
    assert refused({"ce_id": b"\xed\xa0\x80"}) == (ContractCode.INVALID_UNICODE, "ce_id")


def test_another_version_of_cloudevents_is_refused() -> None:
    assert refused({"ce_specversion": b"0.3"}) == (ContractCode.HEADER_INVALID, "ce_specversion")


@pytest.mark.parametrize("name", [*HEADERS, "ce_reason"])
def test_a_header_that_occurs_twice_is_refused(name: str) -> None:
    headers = [*HEADERS.items(), (name, b"x"), (name, b"x")]
    with pytest.raises(EnvelopeError, match="occurs more than once"):
        envelope.parse(headers, b"{}")


def test_a_foreign_header_may_occur_twice() -> None:
    headers = [*HEADERS.items(), ("trace", b"1"), ("trace", b"2")]
    assert envelope.parse(headers, b"{}") == parse()


@pytest.mark.parametrize("name", ["ce_Reason", "ce_", "ce_a-b", "ce_\r\nx", "ce_" + "a" * 21])
def test_an_extension_with_a_name_that_cloudevents_does_not_allow_is_refused_unnamed(name: str) -> None:
    assert refused({name: b"x"}) == (ContractCode.HEADER_INVALID, "ce_*")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T10:15:30Z", datetime(2026, 11, 23, 10, 15, 30, tzinfo=UTC)),
        ("2026-11-23t10:15:30z", datetime(2026, 11, 23, 10, 15, 30, tzinfo=UTC)),
        ("2026-11-23T10:15:30.5+05:30", datetime(2026, 11, 23, 4, 45, 30, 500000, tzinfo=UTC)),
        ("2026-11-23T10:15:30.123456789-00:00", datetime(2026, 11, 23, 10, 15, 30, 123456, tzinfo=UTC)),
        ("2026-01-01T00:30:00+01:00", datetime(2025, 12, 31, 23, 30, tzinfo=UTC)),
    ],
)
def test_an_rfc_3339_time_is_read_in_utc(text: str, expected: datetime) -> None:
    time = parse({"ce_time": text.encode()}).time
    assert (time, time.tzinfo) == (expected, UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T10:15:30",
        "2026-11-23 10:15:30Z",
        "2026-11-23T10:15Z",
        "20261123T101530Z",
        "2026-11-23T10:15:30+0100",
        "2026-11-23T10:15:30,5Z",
        "2026-W48-1T10:15:30Z",
        "2026-02-30T10:15:30Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T10:15:61Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "\u0662\u0660\u0662\u0666-11-23T10:15:30Z",
        "1763892930",
    ],
)
def test_any_other_time_is_refused(text: str) -> None:
    assert refused({"ce_time": text.encode()}) == (ContractCode.HEADER_INVALID, "ce_time")


@pytest.mark.parametrize(
    "content_type",
    [b"application/json; charset=utf-8", b'Application/JSON;charset="UTF-8"', b"application/order+json"],
)
def test_json_may_be_named_in_several_ways(content_type: bytes) -> None:
    assert parse({"content-type": content_type}) == parse()


@pytest.mark.parametrize(
    "content_type",
    [
        b"",
        b"text/json",
        b"application/xml",
        b"application/json; charset=latin-1",
        b"application/avro",
        b"application/cloudevents+avro",
        b"application/cloudevents-batch+json",
        b"\xff",
    ],
)
def test_any_other_content_type_is_refused(content_type: bytes) -> None:
    assert refused({"content-type": content_type}) == (ContractCode.HEADER_INVALID, "content-type")


def test_an_event_is_written_as_it_was_read() -> None:
    event = parse({"ce_reason": b"erased"})
    assert dict(envelope.to_headers(event)) == {**HEADERS, "ce_reason": b"erased"}


def test_a_tombstone_is_written_without_content_type() -> None:
    assert "content-type" not in dict(envelope.to_headers(parse(value=None)))


attributes = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=255)
zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=zones)


@given(
    st.builds(
        CloudEvent,
        id=attributes,
        source=attributes,
        type=attributes,
        time=times,
        subject=st.none() | attributes,
        dataschema=st.none() | attributes,
        data=st.none() | st.binary(),
        extensions=st.dictionaries(st.from_regex(r"[a-z0-9]{3,20}", fullmatch=True), attributes).filter(
            lambda found: not {"specversion", "id", "source", "type", "time", "subject", "dataschema"} & found.keys()
        ),
    )
)
def test_what_is_written_can_be_read(event: CloudEvent) -> None:
    assert envelope.parse(envelope.to_headers(event), event.data) == event


headers = st.lists(st.tuples(st.sampled_from([*HEADERS, "ce_x", "x"]) | st.text(), st.binary(max_size=40)))


@given(headers, st.none() | st.binary())
def test_whatever_arrives_is_read_or_refused(found: list[tuple[str, bytes]], value: bytes | None) -> None:
    with suppress(EnvelopeError):
        envelope.parse([*found, *HEADERS.items()][: max(len(found), 8)], value)
