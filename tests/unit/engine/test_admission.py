"""Admission: which records become events, what is known about the others, and what of them may not be kept."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from schemas import registry
from schemas.order import OrderPlaced
from tests.support.orders import NOW, SHIP_TO, Published, event, placed, record, structured
from workers.domain import keeping, screening
from workers.engine.admission import Admission, Event, Rejected
from workers.errors import RefusalCode
from workers.settings import Settings
from workers.vault.keyring import LOOKUP_PURPOSES, Keyring

RING = Keyring({1: bytes(32)}, {purpose: purpose.encode() * 2 for purpose in LOOKUP_PURPOSES})
SETTINGS = Settings(event_max_future_s=60, event_max_age_s=7200, body_max_bytes=4096)
ADMISSION = Admission("lethe.shipping", "orders", RING, SETTINGS)
CARD = "4111 1111 1111 1111"
MODES: dict[str, Callable[[Published], Published]] = {"binary": lambda one: one, "structured": structured}


def admit(published: Published, admission: Admission = ADMISSION) -> Event | Rejected:
    return admission.admit(record(published), NOW)


def broken(*_: object, **__: object) -> None:
    raise RecursionError("planted")


def accepted(published: Published, admission: Admission = ADMISSION) -> Event:
    outcome = admit(published, admission)
    assert isinstance(outcome, Event), outcome
    return outcome


def refused(published: Published) -> Rejected:
    outcome = admit(published)
    assert isinstance(outcome, Rejected), outcome
    return outcome


def with_header(published: Published, name: str, value: bytes | None) -> Published:
    kept = [(key, old) for key, old in published.headers if key != name]
    return published._replace(headers=[*kept, *([(name, value)] if value is not None else [])])


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_a_good_order_is_admitted_in_both_modes(mode: Callable[[Published], Published]) -> None:
    one = accepted(mode(placed("o1", "c1", time=NOW - timedelta(minutes=1))))
    assert isinstance(one.data, OrderPlaced)
    assert one.data.ship_to.name == SHIP_TO["name"]
    assert (one.event_type, one.occurred_at) == ("order.placed", NOW - timedelta(minutes=1))
    assert one.reference_hash == RING.lookup_hash("subject-reference", b"c1")


def test_both_modes_of_one_event_are_the_same_event() -> None:
    one = placed(event_id="e-1")
    assert accepted(one).event_key == accepted(structured(one)).event_key


def test_an_event_is_named_by_group_source_and_id() -> None:
    other_group = Admission("lethe.newsletter", "orders", RING, SETTINGS)
    keys = {
        accepted(placed(event_id="e-1", source="/shop")).event_key,
        accepted(placed(event_id="e-2", source="/shop")).event_key,
        accepted(placed(event_id="e-1", source="/other")).event_key,
        accepted(placed(event_id="e-1", source="/shop"), other_group).event_key,
    }
    assert len(keys) == 4
    again = accepted(placed("o2", "c2", event_id="e-1", source="/shop"))
    assert again.event_key in keys, "neither the body nor the key name an event"


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_a_key_that_is_not_the_customer_reference_is_refused(mode: Callable[[Published], Published]) -> None:
    one = refused(mode(placed(customer="c1", key=b"c2")))
    assert (one.refusal.code, one.refusal.field) == (RefusalCode.KEY_INVALID, "key")
    assert one.refusal.keep_body


@pytest.mark.parametrize("key", [b"", b"erika@example.com", b"a b", b"\xff"], ids=["none", "e-mail", "blank", "bytes"])
def test_a_key_that_is_no_reference_is_refused_and_looked_up_by_nobody(key: bytes) -> None:
    one = refused(placed(key=key))
    assert one.refusal.code == RefusalCode.KEY_INVALID
    assert one.reference_hash is None


def test_a_refused_event_is_still_known_by_type_reference_and_name() -> None:
    good = accepted(placed(event_id="e-1"))
    one = refused(placed(event_id="e-1", ship_to={**SHIP_TO, "country_code": "Germany"}))
    assert (one.event_key, one.event_type, one.reference_hash) == (good.event_key, "order.placed", good.reference_hash)
    assert one.refusal.field == "ship_to.country_code"


@pytest.mark.parametrize(
    ("event_type", "field"), [("order.eaten", "ce_type"), ("address.assigned", "ce_type"), ("<script>", "ce_type")]
)
def test_a_type_that_does_not_belong_here_is_refused_and_only_ours_are_named(event_type: str, field: str) -> None:
    one = refused(event(event_type))
    assert (one.refusal.code, one.refusal.field) == (RefusalCode.TYPE_UNKNOWN, field)
    assert one.event_type == ("address.assigned" if event_type == "address.assigned" else None)


@pytest.mark.parametrize(
    ("schema", "is_known"), [("urn:lethe:order.placed:v1", True), ("urn:lethe:order.placed:v2", False)]
)
def test_the_version_is_in_the_dataschema(schema: str, is_known: bool) -> None:
    one = admit(with_header(placed(), "ce_dataschema", schema.encode()))
    assert isinstance(one, Event) is is_known
    if isinstance(one, Rejected):
        assert one.refusal.code == RefusalCode.VERSION_UNKNOWN


def test_a_tombstone_on_the_orders_topic_is_refused() -> None:
    one = refused(placed()._replace(value=None))
    assert one.refusal.code == RefusalCode.INVALID_JSON
    assert one.event_type == "order.placed"


def test_a_structured_record_without_a_body_is_refused() -> None:
    assert refused(structured(placed())._replace(value=None)).refusal.code == RefusalCode.INVALID_JSON


@pytest.mark.parametrize(("offset_s", "is_plausible"), [(60, True), (61, False), (-7200, True), (-7201, False)])
def test_the_event_s_time_must_be_plausible(offset_s: int, is_plausible: bool) -> None:
    one = admit(placed(time=NOW + timedelta(seconds=offset_s)))
    assert isinstance(one, Event) is is_plausible
    if isinstance(one, Rejected):
        assert one.refusal.code == RefusalCode.TIME_IMPLAUSIBLE


def test_a_body_beyond_the_limit_is_refused() -> None:
    assert refused(placed(note="x" * 5000)).refusal.code == RefusalCode.BODY_TOO_LARGE


def body_with_card(**more: Any) -> bytes:
    return json.dumps({"order_id": "o1", "customer_ref": "c1", "note": CARD, **more}).encode()


def test_card_data_is_refused_and_not_kept() -> None:
    one = refused(placed(note=CARD))
    assert one.refusal.code == RefusalCode.CARD_DATA
    assert not one.refusal.keep_body
    assert CARD not in str(one.refusal)


EARLY: dict[str, Callable[[Published], Published]] = {
    "no headers": lambda one: one._replace(headers=[]),
    "no time": lambda one: with_header(one, "ce_time", None),
    "unknown type": lambda one: with_header(one, "ce_type", b"order.eaten"),
    "unknown version": lambda one: with_header(one, "ce_dataschema", b"urn:lethe:order.placed:v9"),
    "keyed by e-mail": lambda one: one._replace(key=b"erika@example.com"),
    "no key": lambda one: one._replace(key=None),
    "e-mail in a header": lambda one: with_header(one, "x-user", b"erika@example.com"),
    "line break in a header": lambda one: with_header(one, "ce_subject", b"a\nb"),
    "no JSON": lambda one: one._replace(value=(one.value or b"")[:-1]),
    "too old": lambda one: with_header(one, "ce_time", b"1999-01-01T00:00:00Z"),
    "wrong content type": lambda one: with_header(one, "content-type", b"text/plain"),
}


@pytest.mark.parametrize("spoil", EARLY.values(), ids=EARLY)
def test_card_data_in_the_body_is_kept_for_no_other_reason_either(spoil: Callable[[Published], Published]) -> None:
    assert not refused(spoil(placed(note=CARD))).refusal.keep_body


@pytest.mark.parametrize("spoil", EARLY.values(), ids=EARLY)
def test_a_body_without_card_data_is_kept(spoil: Callable[[Published], Published]) -> None:
    assert refused(spoil(placed())).refusal.keep_body


def base64_event(data: bytes, **attributes: str) -> Published:
    given = {"specversion": "1.0", "id": "e1", "source": "/shop", "type": "order.placed", "time": NOW.isoformat()}
    body = {**given, "data_base64": base64.b64encode(data).decode(), **attributes}
    return Published(b"c1", [("content-type", b"application/cloudevents+json")], json.dumps(body).encode())


def test_base64_data_is_read() -> None:
    assert accepted(base64_event(placed().value or b"")).event_type == "order.placed"


@pytest.mark.parametrize(
    "attributes",
    [{}, {"type": "order.eaten"}, {"time": "yesterday"}, {"time": "1999-01-01T00:00:00Z"}, {"specversion": "0.3"}],
    ids=["card data alone", "unknown type", "no time", "too old", "unknown CloudEvents version"],
)
def test_card_data_behind_base64_is_not_kept(attributes: dict[str, str]) -> None:
    assert not refused(base64_event(placed(note=CARD).value or b"", **attributes)).refusal.keep_body


def test_card_data_in_a_header_is_not_kept_whatever_the_others_hold() -> None:
    one = with_header(with_header(placed(), "x-user", b"erika@example.com"), "x-note", CARD.encode())
    assert not refused(one).refusal.keep_body


def test_card_data_in_the_key_is_not_kept_whatever_the_headers_hold() -> None:
    one = with_header(placed(key=CARD.encode()), "x-user", b"erika@example.com")
    assert not refused(one).refusal.keep_body


def test_card_data_in_a_header_behind_too_many_is_not_kept() -> None:
    many = [(f"x-{number}", b"1") for number in range(70)]
    assert not refused(placed(headers=[*many, ("x-note", CARD.encode())])).refusal.keep_body


maybe_bytes = st.none() | st.binary(max_size=60)
names = st.sampled_from(
    ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_x", "content-type", "x", ""]
)
values = maybe_bytes | st.sampled_from(
    [b"1.0", b"order.placed", b"application/cloudevents+json", NOW.isoformat().encode()]
)
json_values = st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=9), st.lists, max_leaves=5)


@given(maybe_bytes, st.lists(st.tuples(names, values), max_size=9), maybe_bytes)
@hypothesis_settings(max_examples=400, deadline=None)
def test_whatever_bytes_come_admission_answers(
    key: bytes | None, headers: list[tuple[str, bytes]], value: bytes | None
) -> None:
    admit(Published(key, headers, value))


@given(st.dictionaries(st.sampled_from([*SHIP_TO, "email", "phone", "x"]), json_values))
@hypothesis_settings(max_examples=300, deadline=None)
def test_whatever_an_order_says_no_refusal_repeats_it(ship_to: dict[str, Any]) -> None:
    outcome = admit(placed(ship_to={**SHIP_TO, **ship_to, "name": "Erika-0815-Beispiel", "lines": []}))
    assert isinstance(outcome, Rejected)
    assert "0815" not in str(outcome.refusal)


class TestAFaultOfOurs:
    """It parks the one record that it met, and nobody else's."""

    def test_the_record_is_parked_and_kept_sealed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(registry, "decode_data", broken)
        one = refused(placed())
        assert (one.refusal.code, one.refusal.keep_body) == (RefusalCode.INTERNAL_ERROR, True)
        assert "planted" not in str(one.refusal)

    def test_nothing_is_kept_where_the_search_for_card_data_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(screening, "screen", broken)
        monkeypatch.setattr(keeping, "may_be_kept", broken)
        one = refused(placed())
        assert (one.refusal.code, one.refusal.keep_body) == (RefusalCode.INTERNAL_ERROR, False)
