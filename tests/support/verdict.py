"""The judge of a fault test: what carriers read must be what the domain decides, each notice once, in order.

The model is the domain itself, run over the events in the order in which the source partitions hold them. The judge
does not look at Lethe's database to know what should have happened, only at what was published and what was read.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from schemas import envelope, registry
from workers.cli.samples.events import SampleEvent
from workers.domain import shipping
from workers.domain.carriers import Carrier
from workers.errors import Refused


class Read(NamedTuple):
    """A record as a carrier read it: its topic's carrier, key, and CloudEvents id and type."""

    carrier: str
    shipment_id: str
    event_id: str
    event_type: str


class Expected(NamedTuple):
    """What the model says: per shipment the notices in order, and how many distinct events are refused."""

    notices: Mapping[str, list[Read]]
    refusals: int


def expect(events: Iterable[SampleEvent], carriers: Mapping[str, Carrier]) -> Expected:
    """Run the model over the events of one log, each CloudEvents id once, as they were published."""
    notices: dict[str, list[Read]] = defaultdict(list)
    shipments: dict[str, shipping.Shipment] = {}
    subjects: dict[bytes | None, int] = {}
    seen, refused = set(), 0
    for event in events:
        named = tuple(value for name, value in event.headers if name in ("ce_id", "ce_source"))
        if named and named in seen:
            continue
        seen.add(named)
        if (event.expected is not None and not event.headers) or event.expected is not None:
            refused += 1
            continue
        parsed = envelope.parse(event.headers, event.value)
        data = registry.decode(parsed)
        subject = subjects.setdefault(event.key, len(subjects) + 1)
        shipment_id: str = data.order_id  # type: ignore[attr-defined]  # every event of this topic has one
        try:
            decided = shipping.decide(
                data,
                parsed.time,
                subject,
                shipments.get(shipment_id),
                carriers,  # type: ignore[arg-type]  # likewise
            )
        except Refused:
            refused += 1
            continue
        shipments[shipment_id] = decided.shipment
        notices[shipment_id] += [
            Read(n.carrier, n.shipment_id, f"{n.shipment_id}.{n.revision}", n.action) for n in decided.notices
        ]
    return Expected({key: value for key, value in notices.items() if value}, refused)


def judge(expected: Expected, read: Iterable[Read]) -> None:
    """Fail with the first difference in plain words: a notice twice, lost, at a wrong carrier, or out of order."""
    records = list(read)
    twice = [event_id for event_id, count in Counter(record.event_id for record in records).items() if count > 1]
    assert not twice, f"{len(twice)} notices were published twice, such as {twice[:3]}"
    got: dict[str, dict[str, list[Read]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        got[record.shipment_id][record.carrier].append(record)
    lost = [shipment_id for shipment_id in expected.notices if shipment_id not in got]
    assert not lost, f"{len(lost)} of {len(expected.notices)} shipments were lost, such as {lost[:3]}"
    for shipment_id, per_carrier in got.items():
        wanted: dict[str, list[Read]] = defaultdict(list)
        for notice in expected.notices.get(shipment_id, []):
            wanted[notice.carrier].append(notice)
        assert per_carrier == wanted, f"shipment {shipment_id}: carriers read {per_carrier}, expected {wanted}"
