"""Which model belongs to an event, and how it is decoded."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas import address, envelope, order, registry
from schemas.attributes import CloudEvent
from schemas.errors import ContractCode, ContractError, FieldErrors

NOW = datetime(2026, 11, 23, 10, 15, 30, tzinfo=UTC)


def event(event_type: str, data: bytes | None, **more: object) -> CloudEvent:
    fields = {"id": "e-1", "source": "/shop", "type": event_type, "time": NOW, "data": data, **more}
    return CloudEvent(**fields)  # type: ignore[arg-type]  # the tests say what they mean


def test_no_dataschema_means_version_1() -> None:
    spec = registry.EVENTS["order.placed", 1]
    assert registry.spec_for("order.placed") is spec
    assert registry.spec_for("order.placed", "urn:lethe:order.placed:v1") is spec
    assert spec.dataschema == "urn:lethe:order.placed:v1"


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ContractError) as refused:
        registry.spec_for("order.exploded", "urn:lethe:order.exploded:v1")
    assert (refused.value.code, refused.value.field) == (ContractCode.TYPE_UNKNOWN, "ce_type")
    assert "exploded" not in str(refused.value)


@pytest.mark.parametrize("dataschema", ["urn:lethe:order.placed:v2", "urn:lethe:order.ready:v1", "v1"])
def test_an_unknown_version_is_refused_with_the_known_ones(dataschema: str) -> None:
    with pytest.raises(ContractError, match=r"one of urn:lethe:order\.placed:v1") as refused:
        registry.spec_for("order.placed", dataschema)
    assert (refused.value.code, refused.value.field) == (ContractCode.VERSION_UNKNOWN, "ce_dataschema")


def test_an_event_becomes_its_model() -> None:
    decoded = registry.decode(event("order.ready", b'{"order_id":"SO-1","customer_ref":"C-1","x":1}'))
    assert decoded == order.OrderReady(order_id="SO-1", customer_ref="C-1")


def test_encoding_leaves_out_what_is_absent() -> None:
    assigned = address.AddressAssigned(
        shipment_id="SO-1",
        carrier="ups",
        revision=1,
        address=address.CarrierAddress(city="Köln", country_code="DE"),
    )
    assert (
        registry.encode(assigned)
        == (
            '{"shipment_id":"SO-1","carrier":"ups","revision":1,"address":{"city":"Köln","country_code":"DE"}}'
        ).encode()
    )


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (None, ContractCode.INVALID_JSON),
        (b"", ContractCode.INVALID_JSON),
        (b'{"order_id":', ContractCode.INVALID_JSON),
        (b'{"order_id":"\xff"}', ContractCode.INVALID_UNICODE),
        (b'{"order_id":"\\ud800"}', ContractCode.INVALID_UNICODE),
        (b'{"x":"\\udc00"}', ContractCode.INVALID_UNICODE),
        (b"[" * 5000, ContractCode.TOO_DEEP),
        (b"[]", ContractCode.INVALID_FIELD),
    ],
)
def test_data_that_is_no_json_object_is_refused(data: bytes | None, code: ContractCode) -> None:
    with pytest.raises(FieldErrors, match="the data ") as refused:
        registry.decode(event("order.ready", data))
    assert (refused.value.code, refused.value.field) == (code, None)


def test_every_wrong_field_is_listed_and_five_are_shown() -> None:
    with pytest.raises(FieldErrors) as refused:
        registry.decode(event("order.placed", b'{"order_id":"-","wait_for_ready":1,"ship_to":{"lines":[1,""]}}'))
    assert [error.field for error in refused.value.errors] == [
        "order_id",
        "customer_ref",
        "carrier",
        "wait_for_ready",
        "ship_to.name",
        "ship_to.lines.0",
        "ship_to.lines.1",
        "ship_to.country_code",
    ]
    assert "also: customer_ref is missing; carrier is missing" in refused.value.reason
    assert refused.value.reason.endswith("; 3 more")


def test_a_withdrawal_is_read_from_the_headers_of_a_tombstone() -> None:
    withdrawn = event(
        "address.withdrawn", None, subject="SO-1", extensions={"reason": "erased", "traceparent": "00-ab"}
    )
    received = envelope.parse(envelope.to_headers(withdrawn), None)
    assert registry.decode(received) == address.AddressWithdrawn(shipment_id="SO-1", reason="erased")


@pytest.mark.parametrize(
    ("subject", "reason", "field"), [(None, "erased", "shipment_id"), ("SO-1", "boredom", "reason")]
)
def test_an_incomplete_withdrawal_is_refused(subject: str | None, reason: str, field: str) -> None:
    with pytest.raises(FieldErrors) as refused:
        registry.decode(event("address.withdrawn", None, subject=subject, extensions={"reason": reason}))
    assert refused.value.field == field


def test_a_withdrawal_with_data_is_refused() -> None:
    with pytest.raises(FieldErrors, match="must be absent"):
        registry.decode(event("address.withdrawn", b"{}", subject="SO-1", extensions={"reason": "erased"}))


def test_the_declared_identifiers_are_known_by_name() -> None:
    assert registry.identifier_fields("order.placed") == {"order_id", "customer_ref"}
    assert registry.identifier_fields("address.assigned") == {"shipment_id"}
    assert registry.identifier_fields("dead_letter.parked") == frozenset()
    with pytest.raises(KeyError):
        registry.identifier_fields("order.placed", 2)


def test_models_cannot_be_changed() -> None:
    ready = order.OrderReady(order_id="SO-1", customer_ref="C-1")
    with pytest.raises(ValueError, match="frozen"):
        ready.order_id = "SO-2"  # type: ignore[misc]  # that is the test
