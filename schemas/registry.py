"""Every event type and version: its model, its topic, its key, and which way it flows."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, ValidationError

from schemas import address, consent, dead_letter, ledger, order, policy, reasons, request, store
from schemas.attributes import CloudEvent
from schemas.errors import ContractCode, ContractError, FieldError, FieldErrors

Model = type[BaseModel]


class Direction(StrEnum):
    """Which side must not be surprised by a change."""

    CONSUMED = "consumed"
    """An upstream produces it and Lethe reads it: what was allowed to send must stay allowed."""

    EMITTED = "emitted"
    """Lethe produces it and others read it: what they relied on must stay true."""


@dataclass(frozen=True, slots=True)
class EventSpec:
    """One version of one event. `topic` is the name without prefix; `subject` says what the key is."""

    type: str
    version: int
    model: Model
    subject: str
    topic: str
    direction: Direction
    tombstone: bool = False
    """The record has no value; `ce_subject` and the extensions carry the model's fields."""

    @property
    def dataschema(self) -> str:
        """The `ce_dataschema` that names this version."""
        return f"urn:lethe:{self.type}:v{self.version}"


def _order(event_type: str, model: Model) -> EventSpec:
    return EventSpec(event_type, 1, model, "the customer reference", "orders", Direction.CONSUMED)


def _consent(event_type: str, model: Model) -> EventSpec:
    return EventSpec(event_type, 1, model, "the customer reference", "consents", Direction.CONSUMED)


def _request(event_type: str, model: Model) -> EventSpec:
    return EventSpec(event_type, 1, model, "the request", "requests", Direction.CONSUMED)


def _address(event_type: str, model: Model, tombstone: bool = False) -> EventSpec:
    topic = "carrier.{carrier}.addresses"
    return EventSpec(event_type, 1, model, "the shipment id", topic, Direction.EMITTED, tombstone)


_SPECS: Final = (
    _order("order.placed", order.OrderPlaced),
    _order("order.ready", order.OrderReady),
    _order("order.address_changed", order.OrderAddressChanged),
    _order("order.cancelled", order.OrderCancelled),
    _order("order.delivered", order.OrderDelivered),
    _consent("consent.given", consent.ConsentGiven),
    _consent("consent.confirmed", consent.ConsentConfirmed),
    _consent("consent.withdrawn", consent.ConsentWithdrawn),
    EventSpec("policy.published", 1, policy.PolicyPublished, "the version", "policies", Direction.CONSUMED),
    _request("erasure.requested", request.ErasureRequested),
    _request("erasure.cancelled", request.RequestCancelled),
    EventSpec("request.changed", 1, request.RequestChanged, "the request", "confirmations", Direction.EMITTED),
    EventSpec("store.task", 1, store.StoreTask, "the store's name", "store-tasks", Direction.EMITTED),
    EventSpec("store.receipt", 1, store.StoreReceipt, "the store's name", "store-receipts", Direction.CONSUMED),
    EventSpec("subject.erased", 1, ledger.SubjectErased, "the ledger entry", "ledger", Direction.EMITTED),
    EventSpec("address.suppressed", 1, ledger.AddressSuppressed, "the ledger entry", "ledger", Direction.EMITTED),
    _address("address.assigned", address.AddressAssigned),
    _address("address.corrected", address.AddressCorrected),
    _address("address.withdrawn", address.AddressWithdrawn, tombstone=True),
    EventSpec(
        "address.withdrawal_acknowledged",
        1,
        address.AddressWithdrawalAcknowledged,
        "the carrier",
        "carrier.{carrier}.receipts",
        Direction.CONSUMED,
    ),
    EventSpec(
        "dead_letter.parked",
        1,
        dead_letter.DeadLetterParked,
        "the key of the refused record",
        "{worker}.dead-letters",
        Direction.EMITTED,
    ),
)

EVENTS: Final[Mapping[tuple[str, int], EventSpec]] = MappingProxyType(
    {(spec.type, spec.version): spec for spec in _SPECS}
)
_BY_DATASCHEMA: Final[Mapping[tuple[str, str | None], EventSpec]] = {
    **{(spec.type, spec.dataschema): spec for spec in _SPECS},
    **{(spec.type, None): spec for spec in _SPECS if spec.version == 1},
}
_TYPES: Final = frozenset(spec.type for spec in _SPECS)


def spec_for(event_type: str, dataschema: str | None = None) -> EventSpec:
    """Return the spec of a type and its `ce_dataschema`; no dataschema means version 1.

    Raises ContractError with `type_unknown` or `version_unknown`.
    """
    spec = _BY_DATASCHEMA.get((event_type, dataschema))
    if spec is not None:
        return spec
    if event_type not in _TYPES:
        raise ContractError(ContractCode.TYPE_UNKNOWN, "is not an event type that Lethe knows", "ce_type")
    known = ", ".join(spec.dataschema for spec in _SPECS if spec.type == event_type)
    raise ContractError(ContractCode.VERSION_UNKNOWN, f"must be absent or one of {known}", "ce_dataschema")


def decode(event: CloudEvent) -> BaseModel:
    """Validate an event's data and return its model.

    Raises ContractError (`type_unknown`, `version_unknown`) or FieldErrors: fields and rules, never values.
    """
    spec = spec_for(event.type, event.dataschema)
    if spec.tombstone:
        return _decode_tombstone(spec, event)
    if event.data is None:
        raise FieldErrors([FieldError("", "is missing", ContractCode.INVALID_JSON)])
    return decode_data(spec, event.data)


def decode_data(spec: EventSpec, data: bytes) -> BaseModel:
    """Validate JSON against the model of `spec`. Raises FieldErrors."""
    try:
        model: BaseModel = spec.model.__pydantic_validator__.validate_json(data)
    except ValidationError as error:
        raise reasons.field_errors(error) from None
    return model


def encode(model: BaseModel) -> bytes:
    """Return a model as compact UTF-8 JSON; a field that is None is left out."""
    data: bytes = model.__pydantic_serializer__.to_json(model, exclude_none=True)
    return data


@cache
def identifier_fields(event_type: str, version: int = 1) -> frozenset[str]:
    """Return the dotted names of an event's declared identifiers. Raises KeyError for an unknown event."""
    return frozenset(_identifiers(EVENTS[event_type, version].model))


def _identifiers(model: Model, prefix: str = "") -> list[str]:
    names: list[str] = []
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            names += _identifiers(info.annotation, f"{prefix}{name}.")
        elif isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get("x-identifier") is True:
            names.append(f"{prefix}{name}")
    return names


def _decode_tombstone(spec: EventSpec, event: CloudEvent) -> BaseModel:
    if event.data is not None:
        raise FieldErrors([FieldError("", "must be absent from a withdrawal")])
    fields: dict[str, str] = {**event.extensions}
    if event.subject is not None:
        fields["shipment_id"] = event.subject
    try:
        return spec.model.model_validate(fields)
    except ValidationError as error:
        raise reasons.field_errors(error) from None
