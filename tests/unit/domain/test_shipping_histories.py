"""Whatever happens to an order, in whatever order: what always holds about what its carriers know."""

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import order
from tests.support.orders import NOW, recipient
from workers import carriers as carrier_files
from workers.domain import shipping
from workers.domain.shipping import Action, Notice, Shipment, ShipmentState
from workers.errors import Refused

CARRIERS = carrier_files.load(Path(__file__).parents[3] / "deploy/carriers")
NAMES = ["gls", "dhl-parcel-de", "nobody"]
IDS = {"order_id": "o1", "customer_ref": "c1"}
HOMES = [recipient(), recipient(lines=["Neuer Weg 3"], email="erika@example.com"), recipient(city=None)]

carrier = st.sampled_from(NAMES)
home = st.sampled_from(HOMES)
event = st.one_of(
    st.builds(lambda **v: order.OrderPlaced(**IDS, **v), carrier=carrier, ship_to=home, wait_for_ready=st.booleans()),
    st.just(order.OrderReady(**IDS)),
    st.builds(
        lambda **v: order.OrderAddressChanged(**IDS, **v),
        carrier=st.none() | carrier,
        ship_to=home,
        contact_consent=st.none() | st.booleans(),
    ),
    st.just(order.OrderCancelled(**IDS, reason="shop")),
    st.just(order.OrderDelivered(**IDS)),
)
subject = st.sampled_from([1, 1, 1, 2])
histories = st.lists(st.tuples(event, subject), max_size=12)


def run(history: list[Any]) -> list[tuple[Shipment | None, Shipment | None, tuple[Notice, ...]]]:
    """The shipment before and after each event that was not refused, and the notices."""
    steps, now = [], None
    for happened, who in history:
        try:
            after, notices = shipping.decide(happened, NOW, who, now, CARRIERS)
        except Refused:
            continue
        steps.append((now, after, notices))
        now = after
    return steps


@given(histories)
@settings(max_examples=300, deadline=None)
def test_at_most_one_carrier_has_the_address_and_only_while_assigned(history: list[Any]) -> None:
    holders: set[str] = set()
    for _, after, notices in run(history):
        for notice in notices:
            if notice.action is Action.ASSIGN:
                assert not holders
                holders.add(notice.carrier)
            elif notice.action is Action.CORRECT:
                assert holders == {notice.carrier}
            else:
                holders.remove(notice.carrier)
        assert after is not None
        assert holders == ({after.carrier} if after.state is ShipmentState.ASSIGNED else set())


@given(histories)
@settings(max_examples=300, deadline=None)
def test_revisions_count_every_notice_from_one(history: list[Any]) -> None:
    steps = run(history)
    revisions = [notice.revision for _, _, notices in steps for notice in notices]
    assert revisions == list(range(1, len(revisions) + 1))
    assert not steps or steps[-1][1].revision == len(revisions)


@given(histories)
@settings(max_examples=300, deadline=None)
def test_nothing_happens_after_the_end(history: list[Any]) -> None:
    for before, after, notices in run(history):
        if before is not None and before.state in (ShipmentState.WITHDRAWN, ShipmentState.DELIVERED):
            assert after == before
            assert notices == ()


@given(histories)
@settings(max_examples=300, deadline=None)
def test_a_shipment_keeps_its_number_and_its_owner(history: list[Any]) -> None:
    steps = run(history)
    assert len({(after.shipment_id, after.subject_id, after.placed_at) for _, after, _ in steps if after}) <= 1
