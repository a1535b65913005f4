"""What holds at every moment, whatever happens in whatever order; and what holds once everything has settled."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import timedelta

from schemas import consent, order
from tests.model import desk, oracle
from tests.model.database import Certificate, Database
from tests.model.world import World
from workers.domain.consent import VALID
from workers.domain.requests import RequestState
from workers.domain.shipping import ShipmentState

_S = RequestState
_OPEN = frozenset((_S.RECEIVED, _S.IDENTITY_NEEDED, _S.IN_PROGRESS, _S.WAITING_FOR_STORE, _S.ON_HOLD))
_LOOKED = frozenset(("absent", "kept"))


def nothing_is_lost_or_applied_twice(world: World) -> None:
    """Each record before the position has one verdict, none behind it; each event had its effect once."""
    db = world.db
    twice = [key for key, count in Counter(db.applied).items() if count > 1]
    assert not twice, f"applied twice: {twice}"
    offsets = defaultdict(set)
    for topic, offset in db.verdicts:
        offsets[topic].add(offset)
    for topic, position in db.positions.items():
        if topic != "relay":
            assert offsets[topic] == set(range(position)), f"{topic}: not every record has a verdict"
    applied = set(db.applied)
    for (topic, offset), verdict in db.verdicts.items():
        key = world.log.inbound[topic][offset].happened.key
        if verdict in ("applied", "duplicate"):
            assert key in applied, f"{topic}/{offset} is {verdict}, yet its event had no effect"


def one_carrier_at_most_knows_an_address(world: World) -> None:
    holders = Counter(shipment for view in world.log.carriers().values() for shipment in view)
    assert not [one for one, count in holders.items() if count > 1], "two carriers hold the address of one order"


def only_its_own_customer_changes_an_order(world: World, owners: Mapping[str, str]) -> None:
    for (topic, offset), verdict in world.db.verdicts.items():
        happened = world.log.inbound[topic][offset].happened
        if verdict == "applied" and isinstance(happened.data, order.OrderEvent):
            assert happened.reference == owners[happened.data.order_id], "an order was changed by somebody else"


def notices_of_a_shipment_come_in_their_order(world: World) -> None:
    """Revisions rise by one, and nothing of an order that was not erased is left out."""
    revisions = defaultdict(list)
    erased = {one.key for entries in world.log.sent.values() for one in entries if one.subject_id in world.db.effective}
    carriers = [one for topic, entries in world.log.sent.items() if topic.startswith("carrier.") for one in entries]
    for one in sorted(carriers, key=lambda one: one.moment):
        revisions[one.key].append(int(one.event_id.rpartition(".")[2]))
    for shipment, told in revisions.items():
        assert told == sorted(set(told)), f"{shipment}: {told}"
        fenced = shipment in erased or not any(
            row.shipment_id == shipment and world.db.lives(row.subject_id) for row in world.db.shipments.values()
        )
        assert fenced or told == list(range(1, len(told) + 1)), f"{shipment}: a notice is missing in {told}"


def who_is_written_to_has_agreed(world: World) -> None:
    db = world.db
    for (number, purpose), one in db.consents.items():
        if one.record.status not in VALID:
            continue
        email = db.contacts[number].email
        assert oracle.is_agreed(db.said, email, purpose, world.purposes[purpose].needs_double_opt_in), (
            f"{purpose} counts as agreed to, against what was said"
        )
        assert oracle.was_heard_of(db.said, email, world.now), f"{purpose} is valid, and should have expired"
        assert (email.encode(), purpose) not in db.suppressions, "valid and suppressed at once"
        assert (email.encode(), "*") not in db.suppressions, "valid and suppressed at once"


def every_no_is_heard(world: World) -> None:
    for (topic, offset), verdict in world.db.verdicts.items():
        if isinstance(world.log.inbound[topic][offset].happened.data, consent.ConsentWithdrawn):
            assert not verdict.startswith("parked"), f"a no was {verdict}"


def a_mail_went_out_under_a_valid_consent(world: World) -> None:
    """Asked right after the mail: what was said later does not count against it."""
    for mail, email, at, moment in world.mailed:
        if at == world.now and moment == max(one[3] for one in world.mailed):
            assert oracle.was_heard_of(world.db.said, email, at), "mail under a consent that has expired"
        assert moment < world.db.effective.get(mail.subject_id, moment + 1), "mail to an erased person"


def nothing_about_the_erased_leaves_or_stays(world: World) -> None:
    db = world.db
    for entries in world.log.sent.values():
        for one in entries:
            if one.value is not None and one.subject_id is not None:
                assert one.moment < db.effective.get(one.subject_id, one.moment + 1), f"{one.topic}: left after erasure"
    own = {
        "subjects": set(db.subjects),
        "shipments": {one.subject_id for one in db.shipments.values()},
        "disclosures": {number for number, _, _ in db.disclosures},
        "contacts": {one.subject_id for one in db.contacts.values()},
        "mails": {one.subject_id for one in db.mails.values()},
    }
    for table, numbers in own.items():
        assert numbers.isdisjoint(db.effective), f"{table} has a row of an erased person"


def nobody_is_brought_back(world: World) -> None:
    """What happened before an erasure makes no row again."""
    db = world.db
    for one in db.shipments.values():
        subject = db.subjects[one.subject_id]
        erased_at = db.erased_references.get(subject.reference)
        if subject.fenced_at is None and erased_at is not None:
            assert one.placed_at > erased_at, f"{one.shipment_id} was placed before its person was erased"


def requests_move_as_they_may(world: World) -> None:
    for one in world.db.told:
        if one.before not in _OPEN:
            assert (one.before, one.after) == (_S.PARTLY_COMPLETED, _S.COMPLETED), f"{one.before} became {one.after}"
        if one.after in (_S.REFUSED, _S.CANCELLED, _S.ON_HOLD):
            assert one.step == "none", f"{one.after} after the work had begun"
    for row in world.db.requests.values():
        leader = world.db.requests.get(row.joined) if row.joined else None
        if leader is not None and leader.closed_at is not None:
            assert row.closed_at is not None, "a request waits for another that has ended"
            ended = (row.state, leader.state)
            assert leader.state is not _S.COMPLETED or row.state in (_S.COMPLETED, _S.CANCELLED, _S.REFUSED), ended


def deadlines_are_a_month_and_never_pass_silently(world: World) -> None:
    today = world.now.astimezone(desk.ZONE).date()
    for row in world.db.requests.values():
        received, due = row.received_at.astimezone(desk.ZONE), row.due_at.astimezone(desk.ZONE)
        last = (due - timedelta(seconds=1)).date()
        assert (due.hour, due.minute) == (0, 0)
        assert (last.year * 12 + last.month) - (received.year * 12 + received.month) == 1
        assert last.day == received.day or (last.day < received.day and (last + timedelta(days=1)).day == 1)
        if row.closed_at is None and row.due_at <= world.now:
            assert (today, -1) in world.db.staff_mails, "a deadline was missed and nobody was told"


def certificates_are_true(world: World, certificates: list[Certificate]) -> None:
    """Judged when they are new."""
    for one in certificates:
        _what_is_ours_is_gone(world, one)
        unconfirmed = [row for row in one.stores if not _was_seen_absent(world, row.store, row.subject_ref)]
        request = world.db.requests[one.facts.request_id]
        if one.facts.outcome == "completed":
            assert not unconfirmed, f"completed, but {[row.store for row in unconfirmed]} never looked in vain"
            assert request.state is _S.COMPLETED
        else:
            assert any(row.state == "unconfirmed" for row in one.stores)
            assert request.state is _S.PARTLY_COMPLETED


def _was_seen_absent(world: World, store: str, ref: object) -> bool:
    """Whether the store's last word is a look after its last erasure, by something to look for, that found nothing."""
    answers = [one for one in world.stores[store].answers if one.subject_ref == ref]
    if not answers or answers[-1].action != "verify" or not answers[-1].named:
        return False
    return answers[-1].outcome in _LOOKED and any(one.action == "erase" for one in answers)


def _what_is_ours_is_gone(world: World, one: Certificate) -> None:
    db, round_ = world.db, world.db.rounds[one.round_id]
    assert one.subject_ids <= db.effective.keys() | _never_there(db, one)
    assert not {(number, epoch) for number, epoch in world.wrapped if number in one.subject_ids} - {
        (number, epoch) for number in one.subject_ids for epoch in world.destroyed
    }, "a copy of an erased person's key can still be opened"
    for topic, end in round_.inbound:
        assert world.log.start[topic] >= end, f"{topic} still holds what the person's events said"
    for topic, shipment in round_.disclosed:
        assert not [sent for sent in world.log.held(topic) if sent.key == shipment and sent.value is not None], (
            f"{topic} still holds an address"
        )


def _never_there(db: Database, one: Certificate) -> set[int]:
    return {number for number in one.subject_ids if number not in db.subjects}


def settled(world: World) -> None:
    """Everything has come to its end: the carriers know what the shipments say, and no request is forgotten."""
    views = world.log.carriers()
    held = {(carrier, shipment) for carrier, view in views.items() for shipment in view}
    assigned = [row for row in world.db.shipments.values() if row.state is ShipmentState.ASSIGNED]
    assert held == {(row.carrier, row.shipment_id) for row in assigned}, "carriers know more or less than they should"
    for row in assigned:
        assert row.recipient is not None
        assert row.recipient.lines[0].encode() in views[row.carrier][row.shipment_id], "an old address"
    assert not world.db.outbox
    assert not [row for row in world.db.subjects.values() if row.fenced_at is not None], "fenced for ever"
    waits = {_S.IDENTITY_NEEDED, _S.ON_HOLD}
    for request in world.db.requests.values():
        leader = world.db.requests[request.joined] if request.joined else request
        assert request.closed_at is not None or leader.state in waits, f"{request.state} for ever"
    _no_order_and_no_refusal_is_lost(world)


def _no_order_and_no_refusal_is_lost(world: World) -> None:
    db = world.db
    for (topic, offset), verdict in db.verdicts.items():
        happened = world.log.inbound[topic][offset].happened
        erased_at = db.erased_references.get(happened.reference)
        if erased_at is not None and happened.occurred_at <= erased_at:
            continue
        if verdict.startswith("parked"):
            is_known = happened.key in db.letters or happened.key in db.applied
            assert is_known or erased_at is not None, f"{topic}/{offset} was refused and is nowhere"
        elif isinstance(happened.data, order.OrderPlaced):
            assert happened.data.order_id in db.shipments, "an order was taken in and is nowhere"
