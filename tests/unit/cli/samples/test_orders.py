"""Sample orders: always the same, always good, except the bad ones, which are bad in the way they say."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas import order
from workers import carriers, errors
from workers.cli.samples import orders as sample_orders
from workers.cli.samples import refusals as sample_refusals
from workers.cli.samples.events import SampleEvent
from workers.domain import projection
from workers.errors import RefusalCode

CARRIERS = carriers.load(Path(__file__).parents[4] / "deploy" / "carriers")
SINCE = datetime(2026, 11, 1, tzinfo=UTC)
MODELS: dict[str, type[order.OrderEvent]] = {
    "order.placed": order.OrderPlaced,
    "order.ready": order.OrderReady,
    "order.address_changed": order.OrderAddressChanged,
    "order.cancelled": order.OrderCancelled,
    "order.delivered": order.OrderDelivered,
}


def make(count: int = 2000, seed: int = 7, **options: Any) -> list[SampleEvent]:
    return list(sample_orders.orders(count, seed, CARRIERS, SINCE, **options))


def test_the_same_seed_gives_the_same_events() -> None:
    assert make(follow_ups=True, bad=True) == make(follow_ups=True, bad=True)
    assert make(50, seed=7) != make(50, seed=8)


def test_every_order_is_one_that_its_carrier_takes() -> None:
    for event in make():
        placed = order.OrderPlaced.model_validate_json(event.value)
        projection.project(placed.ship_to, CARRIERS[placed.carrier], placed.contact_consent)
        assert event.key.decode() == placed.customer_ref


def test_orders_go_to_many_countries_and_all_carriers() -> None:
    placed = [json.loads(event.value) for event in make()]

    assert len({each["ship_to"]["country_code"] for each in placed}) >= 24
    assert {each["carrier"] for each in placed} == set(CARRIERS)
    assert 0.2 < sum(each.get("contact_consent", False) for each in placed) / len(placed) < 0.4


def test_headers_are_those_of_a_binary_cloud_event() -> None:
    first, second = make(2)

    assert dict(first.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"o7-0000000:placed",
        "ce_source": b"/shop/sample",
        "ce_type": b"order.placed",
        "ce_time": b"2026-11-01T00:00:00+00:00",
        "content-type": b"application/json",
    }
    assert dict(second.headers)["ce_time"] == b"2026-11-01T00:00:00.001000+00:00"


def test_follow_ups_come_after_their_order_and_fit_their_models() -> None:
    seen: dict[str, list[str]] = {}
    times = []
    for event in make(follow_ups=True):
        data = MODELS[event.type].model_validate_json(event.value)
        seen.setdefault(data.order_id, []).append(event.type)
        times.append(datetime.fromisoformat(dict(event.headers)["ce_time"].decode()))
        assert event.key.decode() == data.customer_ref

    kinds = Counter(kind for life in seen.values() for kind in life[1:])
    assert all(life[0] == "order.placed" for life in seen.values())
    assert set(kinds) == MODELS.keys() - {"order.placed"}
    assert times == sorted(times)


def test_what_waits_is_released_or_cancelled() -> None:
    events = make(follow_ups=True)
    waiting = {json.loads(event.value)["order_id"] for event in events if b'"wait_for_ready":true' in event.value}
    ended = {
        json.loads(event.value)["order_id"] for event in events if event.type in ("order.ready", "order.cancelled")
    }

    assert waiting
    assert waiting <= ended


def test_a_changed_address_is_one_that_the_carrier_takes() -> None:
    carrier_of = {}
    for event in make(follow_ups=True):
        data = json.loads(event.value)
        if event.type == "order.placed":
            carrier_of[data["order_id"]] = CARRIERS[data["carrier"]]
        elif event.type == "order.address_changed":
            changed = order.OrderAddressChanged.model_validate_json(event.value)
            projection.project(changed.ship_to, carrier_of[changed.order_id], consent=True)


@pytest.mark.parametrize("count", [3, 2000])
def test_bad_ones_are_strewn_in_whole(count: int) -> None:
    bad = [event for event in make(count, bad=True) if event.expected]

    assert bad == sample_refusals.refusals(7, CARRIERS, SINCE)


def test_bad_ones_cover_the_codes_and_share_no_order() -> None:
    bad = sample_refusals.refusals(7, CARRIERS, SINCE, large=True)
    codes = {event.expected for event in bad}

    assert set(RefusalCode) - codes == {
        RefusalCode.DATABASE_REFUSED,
        RefusalCode.INTERNAL_ERROR,
        RefusalCode.ORDER_CONFLICT,
        RefusalCode.ORDER_STATE,
        RefusalCode.SUBJECT_ERASED,
        RefusalCode.SUBJECT_FENCED,
        RefusalCode.REQUEST_STATE,
        RefusalCode.REQUEST_UNKNOWN,
        # of consents, not of orders
        RefusalCode.CONSENT_STATE,
        RefusalCode.EMAIL_INVALID,
        RefusalCode.UNKNOWN_PURPOSE,
        RefusalCode.UNKNOWN_STORE,
        # of the policy
        RefusalCode.POLICY_CONFLICT,
    }
    ids = [dict(event.headers).get("ce_id") for event in bad]
    assert len({each for each in ids if each}) == len(bad) - 1  # one has no id
    assert max(len(event.value) for event in bad) > 2_000_000


def test_bad_addresses_are_refused_as_they_say() -> None:
    checked = 0
    for event in sample_refusals.refusals(7, CARRIERS, SINCE):
        if event.expected and event.expected.startswith(("address_", "contact_")):
            placed = order.OrderPlaced.model_validate_json(event.value)
            with pytest.raises(errors.Refused) as caught:
                projection.project(placed.ship_to, CARRIERS[placed.carrier], placed.contact_consent)
            assert caught.value.code == event.expected
            checked += 1
    assert checked == 6


def test_only_the_countries_asked_for() -> None:
    placed = [json.loads(event.value) for event in make(100, countries=("JP", "BR"))]

    assert {each["ship_to"]["country_code"] for each in placed} == {"JP", "BR"}


def test_no_carrier_for_the_countries_is_an_error() -> None:
    with pytest.raises(errors.UsageError, match="no carrier takes an address in these countries"):
        next(sample_orders.orders(1, 1, {}, SINCE, timedelta(seconds=1)))
