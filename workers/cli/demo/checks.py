"""What the demo proves: each claim is checked against what the carriers really read."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from workers.cli.demo.carrier import Received
from workers.cli.demo.traffic import Told, Traffic
from workers.domain.carriers import Carrier


class Check(NamedTuple):
    """A claim; `problem` is empty when it holds."""

    claim: str
    problem: str = ""


def check(
    traffic: Traffic,
    received: Iterable[Received],
    refused: Counter[str],
    duplicates: int,
    carriers: Mapping[str, Carrier],
) -> list[Check]:
    """Every claim of the demo, judged. `refused` counts the dead letters by code."""
    got = list(received)
    by_shipment: dict[str, list[Told]] = defaultdict(list)
    for one in got:
        by_shipment[one.shipment_id].append(Told(one.carrier, one.event_type))
    return [
        _exactly_once(traffic, by_shipment),
        _followed(traffic, by_shipment),
        _no_record_twice(got),
        _only_listed_fields(got, carriers),
        _refusals(traffic, refused),
        _duplicates(traffic, duplicates),
    ]


def _exactly_once(traffic: Traffic, told: Mapping[str, list[Told]]) -> Check:
    wrong = 0
    for shipment_id in traffic.notices.keys() | told.keys():
        wanted, got = (
            [notice for notice in each.get(shipment_id, []) if notice.event_type == "address.assigned"]
            for each in (traffic.notices, told)
        )
        wrong += wanted != got
    return Check(
        "every order reached exactly one carrier, exactly once, and no other",
        f"{wrong} orders did not" if wrong else "",
    )


def _followed(traffic: Traffic, told: Mapping[str, list[Told]]) -> Check:
    shipments = traffic.notices.keys() | told.keys()
    wrong = sum(traffic.notices.get(one, []) != told.get(one, []) for one in shipments)
    return Check(
        "corrections and withdrawals followed to the same carrier, in order",
        f"for {wrong} orders they did not" if wrong else "",
    )


def _no_record_twice(received: list[Received]) -> Check:
    twice = len(received) - len({(one.carrier, one.event_id) for one in received})
    return Check("no carrier read a record twice", f"{twice} were read twice" if twice else "")


def _only_listed_fields(received: list[Received], carriers: Mapping[str, Carrier]) -> Check:
    wrong = sum(not set(one.address or ()) <= set(carriers[one.carrier].fields) for one in received)
    return Check("no carrier got a field that it does not list", f"{wrong} records hold more" if wrong else "")


def _refusals(traffic: Traffic, refused: Counter[str]) -> Check:
    wanted = Counter({code.value: count for code, count in traffic.refusals.items()})
    wrong = sorted(code for code in wanted.keys() | refused.keys() if wanted[code] != refused[code])
    return Check(
        "every bad event was refused for what is wrong with it, and no good one",
        f"not so for {', '.join(wrong)}" if wrong else "",
    )


def _duplicates(traffic: Traffic, duplicates: int) -> Check:
    problem = "" if duplicates == traffic.duplicates else f"{traffic.duplicates} were published, {duplicates} ignored"
    return Check("what was published twice had its effect once", problem)
