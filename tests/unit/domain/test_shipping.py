"""The state machine of a shipment: what each event means in each state, and what the carriers are told."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from schemas import order
from tests.support.orders import NOW, recipient
from workers import carriers as carrier_files
from workers.domain import shipping
from workers.domain.carriers import Carrier
from workers.domain.shipping import Action, Decision, Notice, Shipment, ShipmentState, WithdrawalReason
from workers.errors import RefusalCode, Refused

CARRIERS: Mapping[str, Carrier] = carrier_files.load(Path(__file__).parents[3] / "deploy/carriers")
OWNER, STRANGER = 7, 8
HOME = recipient(phone="+49 30 23125000", email="erika@example.com")
MOVED = recipient(name="Erika Umgezogen", lines=["Neuer Weg 3"])
WITHDRAWN = [WithdrawalReason.CANCELLED, WithdrawalReason.DELIVERED]

IDS = {"order_id": "o1", "customer_ref": "c1"}
PLACED = order.OrderPlaced(**IDS, carrier="gls", ship_to=HOME)
READY = order.OrderReady(**IDS)
CHANGED = order.OrderAddressChanged(**IDS, ship_to=MOVED)
CHANGED_CARRIER = order.OrderAddressChanged(**IDS, ship_to=MOVED, carrier="dhl-parcel-de")
CANCELLED = order.OrderCancelled(**IDS, reason="customer")
DELIVERED = order.OrderDelivered(**IDS)


def shipment(state: str, **changed: Any) -> Shipment:
    revision = {"waiting": 0, "assigned": 3, "withdrawn": 4, "delivered": 4}[state]
    return Shipment("o1", OWNER, "gls", ShipmentState(state), revision, False, HOME, NOW)._replace(**changed)


def decide(event: Any, before: Shipment | None, subject: int = OWNER) -> Decision:
    return shipping.decide(event, NOW, subject, before, CARRIERS)


def told(decision: Decision) -> list[tuple[str, str, int, str | None]]:
    return [(n.action.value, n.carrier, n.revision, n.reason and n.reason.value) for n in decision.notices]


def refusal(event: Any, before: Shipment | None, subject: int = OWNER) -> RefusalCode:
    with pytest.raises(Refused) as raised:
        decide(event, before, subject)
    return raised.value.code


ASSIGNED_1 = ("address.assigned", "gls", 1, None)
TAKEN_BACK = ("address.withdrawn", "gls", 4)
# (state, event) -> the state afterwards and what carriers are told
ALLOWED = [
    ("waiting", READY, "assigned", [ASSIGNED_1]),
    ("waiting", CHANGED, "waiting", []),
    ("waiting", CHANGED_CARRIER, "waiting", []),
    ("waiting", CANCELLED, "withdrawn", []),
    ("assigned", READY, "assigned", []),
    ("assigned", CHANGED, "assigned", [("address.corrected", "gls", 4, None)]),
    (
        "assigned", CHANGED_CARRIER, "assigned",
        [(*TAKEN_BACK, "carrier_changed"), ("address.assigned", "dhl-parcel-de", 5, None)],
    ),
    ("assigned", CANCELLED, "withdrawn", [(*TAKEN_BACK, "cancelled")]),
    ("assigned", DELIVERED, "delivered", [(*TAKEN_BACK, "delivered")]),
    ("withdrawn", CANCELLED, "withdrawn", []),
    ("delivered", DELIVERED, "delivered", []),
]  # fmt: skip
REFUSED = [
    ("waiting", PLACED, RefusalCode.ORDER_CONFLICT),
    ("waiting", DELIVERED, RefusalCode.ORDER_STATE),
    ("assigned", PLACED, RefusalCode.ORDER_CONFLICT),
    ("withdrawn", PLACED, RefusalCode.ORDER_CONFLICT),
    ("withdrawn", READY, RefusalCode.ORDER_STATE),
    ("withdrawn", CHANGED, RefusalCode.ORDER_STATE),
    ("withdrawn", CHANGED_CARRIER, RefusalCode.ORDER_STATE),
    ("withdrawn", DELIVERED, RefusalCode.ORDER_STATE),
    ("delivered", PLACED, RefusalCode.ORDER_CONFLICT),
    ("delivered", READY, RefusalCode.ORDER_STATE),
    ("delivered", CHANGED, RefusalCode.ORDER_STATE),
    ("delivered", CHANGED_CARRIER, RefusalCode.ORDER_STATE),
    ("delivered", CANCELLED, RefusalCode.ORDER_STATE),
]
EVENTS = [PLACED, READY, CHANGED, CHANGED_CARRIER, CANCELLED, DELIVERED]


def test_the_two_tables_hold_every_state_and_event() -> None:
    cells = [(state, id(event)) for state, event, *_ in [*ALLOWED, *REFUSED]]
    assert sorted(cells) == sorted((state, id(event)) for state in ShipmentState for event in EVENTS)


@pytest.mark.parametrize(("state", "event", "after", "notices"), ALLOWED)
def test_an_allowed_event(state: str, event: Any, after: str, notices: list[Any]) -> None:
    decision = decide(event, shipment(state))
    assert decision.shipment.state == after
    assert told(decision) == notices


@pytest.mark.parametrize(("state", "event", "code"), REFUSED)
def test_a_refused_event(state: str, event: Any, code: RefusalCode) -> None:
    assert refusal(event, shipment(state)) == code


@pytest.mark.parametrize("event", EVENTS[1:])
def test_what_was_never_placed_is_unknown(event: Any) -> None:
    assert refusal(event, None) == RefusalCode.ORDER_UNKNOWN


@pytest.mark.parametrize("event", EVENTS[1:])
@pytest.mark.parametrize("state", ShipmentState)
def test_another_person_s_order_is_unknown(event: Any, state: str) -> None:
    assert refusal(event, shipment(state), STRANGER) == RefusalCode.ORDER_UNKNOWN


def test_another_person_cannot_place_a_taken_number() -> None:
    assert refusal(PLACED, shipment("assigned"), STRANGER) == RefusalCode.ORDER_CONFLICT


def test_a_placed_order_is_assigned_at_once() -> None:
    decision = decide(PLACED, None)
    assert decision.shipment == Shipment("o1", OWNER, "gls", ShipmentState.ASSIGNED, 1, False, HOME, NOW)
    assert told(decision) == [ASSIGNED_1]
    assert decision.notices[0].address is not None
    assert decision.notices[0].address["name"] == "Erika Beispiel"


def test_a_waiting_order_is_told_to_nobody_until_it_is_ready() -> None:
    waiting = decide(PLACED.model_copy(update={"wait_for_ready": True}), None)
    assert waiting.notices == ()
    assert waiting.shipment == Shipment("o1", OWNER, "gls", ShipmentState.WAITING, 0, False, HOME, NOW)
    ready = decide(READY, waiting.shipment)
    assert ready.notices == decide(PLACED, None).notices
    assert ready.shipment == decide(PLACED, None).shipment


def test_a_change_while_waiting_is_what_the_new_carrier_is_told() -> None:
    changed = decide(CHANGED_CARRIER, shipment("waiting")).shipment
    (notice,) = decide(READY, changed).notices
    assert (notice.carrier, notice.revision) == ("dhl-parcel-de", 1)
    assert notice.address is not None
    assert notice.address["name"] == "Erika Umgezogen"


def test_a_correction_holds_the_whole_new_address() -> None:
    decision = decide(CHANGED, shipment("assigned"))
    assert decision.shipment.recipient == MOVED
    assert decision.notices[0].address is not None
    assert decision.notices[0].address["line1"] == "Neuer Weg 3"


def test_naming_the_present_carrier_is_a_correction() -> None:
    same = CHANGED.model_copy(update={"carrier": "gls"})
    assert told(decide(same, shipment("assigned"))) == [("address.corrected", "gls", 4, None)]


def test_the_old_carrier_is_told_no_new_address() -> None:
    withdrawal, assignment = decide(CHANGED_CARRIER, shipment("assigned")).notices
    assert withdrawal == Notice(Action.WITHDRAW, "gls", "o1", 4, None, WithdrawalReason.CARRIER_CHANGED)
    assert assignment.address is not None


@pytest.mark.parametrize("kept", [True, False])
def test_consent_that_a_change_does_not_mention_is_kept(kept: bool) -> None:
    assert decide(CHANGED, shipment("assigned", contact_consent=kept)).shipment.contact_consent is kept


@pytest.mark.parametrize("given", [True, False])
def test_consent_that_a_change_gives_or_takes_counts_for_what_is_sent(given: bool) -> None:
    change = order.OrderAddressChanged(**IDS, ship_to=HOME, contact_consent=given)
    decision = decide(change, shipment("assigned", contact_consent=not given))
    assert decision.shipment.contact_consent is given
    assert ("email" in (decision.notices[0].address or {})) is given


def test_ready_uses_the_consent_that_was_given_when_it_was_placed() -> None:
    (notice,) = decide(READY, shipment("waiting", contact_consent=True)).notices
    assert notice.address is not None
    assert notice.address["email"] == "erika@example.com"


def test_an_erased_address_is_no_longer_sent() -> None:
    assert refusal(READY, shipment("waiting", recipient=None)) == RefusalCode.ORDER_STATE


def test_an_erased_address_is_still_taken_back() -> None:
    assert told(decide(CANCELLED, shipment("assigned", recipient=None))) == [(*TAKEN_BACK, "cancelled")]


@pytest.mark.parametrize("event", [PLACED, CHANGED_CARRIER], ids=["placed", "changed"])
def test_an_unknown_carrier_is_refused(event: Any) -> None:
    before = None if event is PLACED else shipment("assigned")
    unknown = event.model_copy(update={"carrier": "nobody"})
    assert refusal(unknown, before) == RefusalCode.UNKNOWN_CARRIER


def test_an_order_that_waits_is_checked_when_it_is_placed() -> None:
    lacking = PLACED.model_copy(update={"wait_for_ready": True, "ship_to": recipient(city=None)})
    assert refusal(lacking, None) == RefusalCode.ADDRESS_INCOMPLETE


def test_a_carrier_that_was_removed_is_still_told_to_forget() -> None:
    assert told(decide(CANCELLED, shipment("assigned", carrier="gone"))) == [
        ("address.withdrawn", "gone", 4, "cancelled")
    ]
    assert told(decide(CHANGED_CARRIER, shipment("assigned", carrier="gone")))[0][:2] == (
        "address.withdrawn",
        "gone",
    )


@pytest.mark.parametrize("event", [READY, CANCELLED, DELIVERED], ids=["ready", "cancelled", "delivered"])
def test_a_repeated_event_changes_nothing(event: Any) -> None:
    once = decide(event, shipment("waiting" if event is READY else "assigned")).shipment
    again = decide(event, once)
    assert again == Decision(once, ())
    assert again.shipment is once
