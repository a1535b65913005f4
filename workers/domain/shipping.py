"""What an order event means for its shipment: the carrier that may know the address, and what it is told.

    order.placed ──────────► waiting ──order.ready──► assigned ──order.delivered──► delivered
         └── (does not wait) ───────────────────────────┘ │
                                 waiting, assigned ──order.cancelled──► withdrawn

One order is one shipment. Every notice to a carrier raises the shipment's revision, so `(shipment_id, revision)`
names a notice for good, also when it has to be published again after a crash.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from schemas import order
from schemas.recipient import Recipient
from workers.domain import projection
from workers.domain.carriers import Carrier
from workers.errors import RefusalCode, Refused

OrderEvent = (
    order.OrderPlaced | order.OrderReady | order.OrderAddressChanged | order.OrderCancelled | order.OrderDelivered
)


class ShipmentState(StrEnum):
    """Where a shipment stands. `delivered` and `withdrawn` are final."""

    WAITING = "waiting"
    ASSIGNED = "assigned"
    WITHDRAWN = "withdrawn"
    DELIVERED = "delivered"


class Action(StrEnum):
    """What a carrier is told; the value is the CloudEvents type of the notice."""

    ASSIGN = "address.assigned"
    CORRECT = "address.corrected"
    WITHDRAW = "address.withdrawn"


class WithdrawalReason(StrEnum):
    """Why an address is taken back from a carrier; sent in the tombstone's headers."""

    CANCELLED = "cancelled"
    CARRIER_CHANGED = "carrier_changed"
    DELIVERED = "delivered"
    ERASED = "erased"


class Shipment(NamedTuple):
    """The state of one order's shipment. `recipient` is None once it was erased."""

    shipment_id: str
    subject_id: int
    carrier: str
    state: ShipmentState
    revision: int
    contact_consent: bool
    recipient: Recipient | None
    placed_at: datetime


class Notice(NamedTuple):
    """One record for one carrier: an address, or its withdrawal (`address` is None, `reason` says why)."""

    action: Action
    carrier: str
    shipment_id: str
    revision: int
    address: dict[str, str] | None
    reason: WithdrawalReason | None


class Decision(NamedTuple):
    """The shipment as it stands afterwards, and what carriers are told, in order."""

    shipment: Shipment
    notices: tuple[Notice, ...]


def decide(
    event: OrderEvent,
    occurred_at: datetime,
    subject_id: int,
    shipment: Shipment | None,
    carriers: Mapping[str, Carrier],
) -> Decision:
    """The decision for one event of `subject_id`, given the shipment as it stands (None: never placed).

    Raises Refused when the event cannot be carried out; nothing has happened then.
    """
    if isinstance(event, order.OrderPlaced):
        return _place(event, occurred_at, subject_id, shipment, carriers)
    if shipment is None or shipment.subject_id != subject_id:
        raise Refused(
            RefusalCode.ORDER_UNKNOWN,
            "no order with this number was placed under this customer reference; "
            "if its order.placed was parked, replay that first, then this one",
            "order_id",
        )
    if isinstance(event, order.OrderReady):
        return _ready(shipment, carriers)
    if isinstance(event, order.OrderAddressChanged):
        return _change_address(event, shipment, carriers)
    if isinstance(event, order.OrderCancelled):
        return _end(shipment, ShipmentState.WITHDRAWN, WithdrawalReason.CANCELLED)
    return _end(shipment, ShipmentState.DELIVERED, WithdrawalReason.DELIVERED)


def _place(
    event: order.OrderPlaced,
    occurred_at: datetime,
    subject_id: int,
    shipment: Shipment | None,
    carriers: Mapping[str, Carrier],
) -> Decision:
    if shipment is not None:
        raise Refused(
            RefusalCode.ORDER_CONFLICT,
            "an order with this number was placed before, by another event; "
            "to change it publish order.address_changed, to end it order.cancelled",
            "order_id",
        )
    address = _project(event.ship_to, event.carrier, event.contact_consent, carriers)
    placed = Shipment(
        event.order_id,
        subject_id,
        event.carrier,
        ShipmentState.WAITING if event.wait_for_ready else ShipmentState.ASSIGNED,
        0 if event.wait_for_ready else 1,
        event.contact_consent,
        event.ship_to,
        occurred_at,
    )
    if event.wait_for_ready:
        return Decision(placed, ())
    return Decision(placed, (Notice(Action.ASSIGN, event.carrier, event.order_id, 1, address, None),))


def _ready(shipment: Shipment, carriers: Mapping[str, Carrier]) -> Decision:
    if shipment.state is ShipmentState.ASSIGNED:
        return Decision(shipment, ())
    _refuse_if_final(shipment)
    if shipment.recipient is None:
        raise Refused(RefusalCode.ORDER_STATE, "the address of this order was erased; it can no longer be sent")
    address = _project(shipment.recipient, shipment.carrier, shipment.contact_consent, carriers)
    revision = shipment.revision + 1
    ready = shipment._replace(state=ShipmentState.ASSIGNED, revision=revision)
    return Decision(ready, (_notice(Action.ASSIGN, ready, address),))


def _change_address(event: order.OrderAddressChanged, shipment: Shipment, carriers: Mapping[str, Carrier]) -> Decision:
    _refuse_if_final(shipment)
    carrier = event.carrier or shipment.carrier
    consent = shipment.contact_consent if event.contact_consent is None else event.contact_consent
    address = _project(event.ship_to, carrier, consent, carriers)
    changed = shipment._replace(carrier=carrier, contact_consent=consent, recipient=event.ship_to)
    if shipment.state is ShipmentState.WAITING:
        return Decision(changed, ())
    if carrier == shipment.carrier:
        changed = changed._replace(revision=shipment.revision + 1)
        return Decision(changed, (_notice(Action.CORRECT, changed, address),))
    withdrawn = shipment._replace(revision=shipment.revision + 1)
    changed = changed._replace(revision=shipment.revision + 2)
    return Decision(
        changed,
        (
            _notice(Action.WITHDRAW, withdrawn, None, WithdrawalReason.CARRIER_CHANGED),
            _notice(Action.ASSIGN, changed, address),
        ),
    )


def _end(shipment: Shipment, final: ShipmentState, reason: WithdrawalReason) -> Decision:
    """End the shipment: the carrier has no more use for the address, so it is taken back."""
    if shipment.state is final:
        return Decision(shipment, ())
    _refuse_if_final(shipment)
    if shipment.state is ShipmentState.WAITING:
        if final is ShipmentState.DELIVERED:
            raise Refused(
                RefusalCode.ORDER_STATE,
                "the order still waits for order.ready, no carrier has its address: it cannot have been delivered",
            )
        return Decision(shipment._replace(state=final), ())
    ended = shipment._replace(state=final, revision=shipment.revision + 1)
    return Decision(ended, (_notice(Action.WITHDRAW, ended, None, reason),))


def _refuse_if_final(shipment: Shipment) -> None:
    if shipment.state in (ShipmentState.WITHDRAWN, ShipmentState.DELIVERED):
        raise Refused(
            RefusalCode.ORDER_STATE,
            f"the order is {shipment.state} already; nothing about it can change any more",
        )


def _notice(
    action: Action, shipment: Shipment, address: dict[str, str] | None, reason: WithdrawalReason | None = None
) -> Notice:
    return Notice(action, shipment.carrier, shipment.shipment_id, shipment.revision, address, reason)


def _project(
    recipient: Recipient, carrier: str, contact_consent: bool, carriers: Mapping[str, Carrier]
) -> dict[str, str]:
    known = carriers.get(carrier)
    if known is None:
        raise Refused(
            RefusalCode.UNKNOWN_CARRIER,
            "this carrier is not configured; add its file to the carriers directory and replay, or correct the order",
            "carrier",
        )
    return projection.project(recipient, known, contact_consent)
