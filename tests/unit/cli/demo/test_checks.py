"""The demo's checks notice each way in which the promise could be broken."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from workers import carriers as carrier_files
from workers.cli.demo import checks as demo_checks
from workers.cli.demo import traffic as demo_traffic
from workers.cli.demo.carrier import Received
from workers.cli.demo.traffic import Traffic
from workers.cli.samples import orders as sample_orders

CARRIERS = carrier_files.load(Path("deploy/carriers"))
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SINCE = NOW - timedelta(milliseconds=200)
TRAFFIC = demo_traffic.make(200, 3, CARRIERS, NOW)


def as_promised() -> list[Received]:
    return [
        Received(told.carrier, shipment, told.event_type, f"{shipment}.{number}", {"country_code": "DE"})
        for shipment, notices in TRAFFIC.notices.items()
        for number, told in enumerate(notices)
    ]


def broken(received: list[Received], traffic: Traffic = TRAFFIC) -> set[str]:
    refused = Counter({code.value: count for code, count in TRAFFIC.refusals.items()})
    checks = demo_checks.check(traffic, received, refused, TRAFFIC.duplicates, CARRIERS)
    return {check.claim for check in checks if check.problem}


def test_the_traffic_holds_all_that_the_demo_speaks_of() -> None:
    kinds = Counter(told.event_type for notices in TRAFFIC.notices.values() for told in notices)
    assert len(TRAFFIC.orders) == 200
    assert kinds.keys() == {"address.assigned", "address.corrected", "address.withdrawn"}
    assert len(TRAFFIC.refusals) > 10
    assert (
        len(TRAFFIC.events) - len({dict(one.headers).get("ce_id") for one in TRAFFIC.events}) >= TRAFFIC.duplicates > 0
    )


def test_a_repetition_comes_after_the_event_that_it_repeats() -> None:
    once = list(dict.fromkeys(one.value for one in TRAFFIC.events if one.expected is None))
    original = [one.value for one in sample_orders.orders(200, 3, CARRIERS, SINCE, follow_ups=True)]
    assert once == original


def test_the_same_seed_gives_the_same_traffic() -> None:
    again = demo_traffic.make(200, 3, CARRIERS, NOW)
    assert again.events == TRAFFIC.events


def test_nothing_is_broken_when_all_is_as_promised() -> None:
    assert broken(as_promised()) == set()


@pytest.mark.parametrize(
    ("damage", "claim"),
    [
        (lambda got: got[1:], "every order reached exactly one carrier"),
        (lambda got: [*got, got[0]], "every order reached exactly one carrier"),
        (lambda got: [*got, got[0]], "no carrier read a record twice"),
        (lambda got: [got[0]._replace(carrier="gls"), *got[1:]], "every order reached exactly one carrier"),
        (lambda got: [*got, got[0]._replace(shipment_id="o9-1")], "every order reached exactly one carrier"),
        (lambda got: list(reversed(got)), "corrections and withdrawals followed"),
        (lambda got: [one for one in got if one.event_type != "address.withdrawn"], "corrections and withdrawals"),
        (lambda got: [got[0]._replace(address={"birthday": "x"}), *got[1:]], "no carrier got a field"),
    ],
    ids=["lost", "twice", "twice, same id", "wrong carrier", "unknown", "disorder", "not withdrawn", "too much"],
)
def test_a_broken_promise_is_noticed(damage: Callable[[list[Received]], list[Received]], claim: str) -> None:
    assert any(each.startswith(claim) for each in broken(damage(as_promised())))


def test_a_refusal_that_did_not_happen_is_noticed() -> None:
    checks = demo_checks.check(TRAFFIC, as_promised(), Counter(), TRAFFIC.duplicates, CARRIERS)
    assert any("refused" in check.claim and check.problem for check in checks)


def test_a_repetition_that_had_an_effect_is_noticed() -> None:
    refused = Counter({code.value: count for code, count in TRAFFIC.refusals.items()})
    checks = demo_checks.check(TRAFFIC, as_promised(), refused, TRAFFIC.duplicates - 1, CARRIERS)
    assert any("twice" in check.claim and check.problem for check in checks)
