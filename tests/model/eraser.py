"""The eraser in the small world: each step a transaction, its memory (the grace of a fence) lost with the process."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from tests.model import certifying, consents, desk
from tests.model.agents import CONSENTS, ORDERS, REQUESTS, topic_of
from tests.model.database import CarrierNoticeRow, Database, RequestRow, RoundRow, StoreRow
from tests.model.engine import add_to_relay
from tests.model.transactions import Fate, transaction
from workers.domain.email_address import folded
from workers.domain.requests import Move, Reason, RequestState
from workers.domain.shipping import ShipmentState, WithdrawalReason
from workers.domain.store_progress import StoreState
from workers.engine.outbox import Message
from workers.errors import RefusalCode

if TYPE_CHECKING:
    from tests.model.world import World

INBOUND = (ORDERS, CONSENTS, REQUESTS)
_IN_FLIGHT = (ShipmentState.WAITING, ShipmentState.ASSIGNED)
_TO_ASK: Mapping[StoreState, str] = {
    StoreState.TO_ERASE: "erase", StoreState.ERASING: "erase", StoreState.TO_VERIFY: "verify",
    StoreState.VERIFYING: "verify",
}  # fmt: skip
_RESPOND_WITHIN = timedelta(hours=1)


class Eraser:
    """One process."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._before: dict[int, dict[str, int]] = {}

    def step(self, name: str, fate: Fate = Fate.ANSWERED) -> None:
        """One step. Whoever dies with it is replaced by the caller."""
        work: Mapping[str, Callable[[Database], None]] = {
            "release": self._release, "begin": self._begin, "erase": self._erase, "ask": self._ask,
            "prove": self._prove, "certify": lambda draft: certifying.certify(self._world, draft),
            "forget": self._forget,
        }  # fmt: skip
        if name == "rotate":
            self._world.rotate()
        else:
            transaction(self._world, work[name], fate)

    def _release(self, draft: Database) -> None:
        for row in list(draft.requests.values()):
            if row.state is not RequestState.ON_HOLD or row.reason is not Reason.ORDER_IN_FLIGHT or row.joined:
                continue
            if (row.hold_until or self._world.now) <= self._world.now or not in_flight(draft, row.subject_ids):
                desk.move(self._world, draft, row.request_id, Move.RELEASE)

    def _begin(self, draft: Database) -> None:
        ready = [
            row for row in draft.requests.values()
            if row.state is RequestState.IN_PROGRESS and row.step == "none" and row.joined is None
        ]  # fmt: skip
        going = [row for row in ready if not self._hold_for_orders(draft, row)]
        if going:
            self._fence(draft, going)

    def _hold_for_orders(self, draft: Database, row: RequestRow) -> bool:
        subject_ids = subjects_of(draft, row)
        may_wait = row.hold_until is None or row.hold_until > self._world.now
        if not self._world.waits_for_orders or not may_wait or not in_flight(draft, subject_ids):
            return False
        until = row.hold_until or self._world.now + desk.WAIT
        draft.requests[row.request_id] = row._replace(subject_ids=subject_ids, hold_until=until)
        desk.move(self._world, draft, row.request_id, Move.HOLD, Reason.ORDER_IN_FLIGHT)
        return True

    def _fence(self, draft: Database, going: list[RequestRow]) -> None:
        now, number = self._world.now, next(self._world.numbers)
        draft.rounds[number] = RoundRow(number, self._world.epoch, now)
        meant = {row.request_id: subjects_of(draft, row) for row in going}
        every = frozenset().union(*meant.values())
        alive = frozenset(one for one in every if draft.lives(one))
        consents_of = {one.contact_id: (one.subject_id, one.email) for one in draft.contacts.values()}
        consents.withdraw_subjects(self._world, draft, alive)
        for row in going:
            known = frozenset(one for one in meant[row.request_id] if one in alive)
            found = [email for owner, email in consents_of.values() if owner in known]
            found += [
                one.recipient.email for one in draft.shipments.values()
                if one.subject_id in known and one.recipient is not None and one.recipient.email
            ]  # fmt: skip
            orders = [one.shipment_id for one in draft.shipments.values() if one.subject_id in meant[row.request_id]]
            draft.requests[row.request_id] = row._replace(
                step="fenced", round_id=number, subject_ids=meant[row.request_id],
                emails=tuple(dict.fromkeys((*row.emails, *found))), orders=tuple(orders),
            )  # fmt: skip
        for one in alive:
            subject = draft.subjects[one]
            draft.subjects[one] = subject._replace(fenced_at=now)
            draft.erased_references[subject.reference] = now

    def _erase(self, draft: Database) -> None:
        for round_ in list(draft.rounds.values()):
            if round_.state == "fenced" and self._grace_is_over(draft, round_.round_id):
                self._erase_round(draft, round_)

    def _grace_is_over(self, draft: Database, round_id: int) -> bool:
        lanes = self._before.setdefault(
            round_id, {row.lane: row.position for row in sorted(draft.outbox, key=lambda row: row.position)}
        )
        return not any(row.position <= lanes.get(row.lane, -1) for row in draft.outbox)

    def _erase_round(self, draft: Database, round_: RoundRow) -> None:
        world = self._world
        theirs = [row for row in draft.requests.values() if row.round_id == round_.round_id and row.step == "fenced"]
        meant = frozenset().union(*(row.subject_ids for row in theirs))
        disclosed = frozenset((topic, order) for owner, topic, order in draft.disclosures if owner in meant)
        self._tell_carriers(draft, theirs, meant)
        delete(draft, meant, world)
        for row in theirs:
            draft.requests[row.request_id] = row._replace(step="erased")
            self._ask_stores(draft, row)
        ends = tuple((topic, len(world.log.inbound[topic])) for topic in INBOUND)
        draft.rounds[round_.round_id] = round_._replace(
            state="erased", effective_at=world.now, inbound=ends, key_epoch=world.epoch, disclosed=disclosed
        )
        draft.effective |= dict.fromkeys(meant, next(world.log.moments))

    def _tell_carriers(self, draft: Database, theirs: list[RequestRow], meant: frozenset[int]) -> None:
        requests = {number: row.request_id for row in theirs for number in row.subject_ids}
        messages = []
        for one in draft.shipments.values():
            if one.subject_id in meant and one.state is ShipmentState.ASSIGNED:
                event_id = f"{one.shipment_id}.{one.revision + 1}"
                messages.append(Message(
                    None, topic_of(one.carrier), one.shipment_id, "address.withdrawn", event_id, None,
                    WithdrawalReason.ERASED,
                ))  # fmt: skip
                request_id = requests[one.subject_id]
                draft.notices[event_id] = CarrierNoticeRow(request_id, one.carrier, self._world.now)
        add_to_relay(self._world, draft, messages)

    def _ask_stores(self, draft: Database, row: RequestRow) -> None:
        for store in self._world.stores.values():
            if not store.finds_by - {"order_id"} and not row.orders:
                continue
            named = any(identifiers(row).get(one) for one in store.finds_by)
            ref = self._world.uuid()
            state, reason = (StoreState.TO_ERASE, None) if named else (StoreState.UNCONFIRMED, "nothing to find by")
            draft.stores[ref] = StoreRow(ref, row.request_id, store.name, state, self._world.now, reason)

    def _ask(self, draft: Database) -> None:
        for row in list(draft.stores.values()):
            if row.state not in _TO_ASK or row.due_at > self._world.now:
                continue
            named = identifiers(draft.requests[row.request_id])
            finds_by = sorted(self._world.stores[row.store].finds_by)
            named = {name: named[name] for name in finds_by if named.get(name)}
            if not named:
                draft.stores[row.subject_ref] = row._replace(state=StoreState.UNCONFIRMED, reason="nothing to find by")
                continue
            action, task_id = _TO_ASK[row.state], self._world.uuid()
            asking = StoreState.ERASING if action == "erase" else StoreState.VERIFYING
            draft.stores[row.subject_ref] = row._replace(
                state=asking, attempts=row.attempts + 1, due_at=self._world.now + _RESPOND_WITHIN, task_id=task_id
            )
            task = {
                "task_id": str(task_id), "action": action, "subject_ref": str(row.subject_ref), "identifiers": named,
            }  # fmt: skip
            message = Message(
                None, f"store-tasks.{row.store}", row.store, "store.task", str(task_id), orjson.dumps(task)
            )
            add_to_relay(self._world, draft, [message])

    def _prove(self, draft: Database) -> None:
        log, now = self._world.log, self._world.now
        for round_ in [one for one in draft.rounds.values() if one.state == "erased"]:
            left = {(topic, one.key) for topic, _ in round_.disclosed for one in log.held(topic) if one.value}
            proven = round_._replace(
                trimmed_at=now if all(log.start[topic] >= end for topic, end in round_.inbound) else round_.trimmed_at,
                compacted_at=round_.compacted_at or (now if left.isdisjoint(round_.disclosed) else None),
                shredded_at=round_.shredded_at or (now if round_.key_epoch in self._world.destroyed else None),
            )
            if proven.trimmed_at and proven.compacted_at and proven.shredded_at:
                proven = proven._replace(state="proven")
            draft.rounds[round_.round_id] = proven

    def _forget(self, draft: Database) -> None:
        for row in list(draft.requests.values()):
            if row.has_key and row.closed_at and row.step in ("none", "certified") and row.state != "partly_completed":
                step = "told" if row.step == "certified" else row.step
                draft.requests[row.request_id] = row._replace(
                    has_key=False, emails=(), references=(), orders=(), subject_ids=frozenset(), step=step
                )


def subjects_of(draft: Database, row: RequestRow) -> frozenset[int]:
    """Who is meant, one step far (erasure.people, query subjects_of)."""
    found = {one.subject_id for one in draft.subjects.values() if one.reference in row.references}
    for contact in draft.contacts.values():
        if contact.reference in row.references or contact.email in row.emails:
            found.add(contact.subject_id)
    for one in draft.shipments.values():
        if one.recipient is not None and one.recipient.email and folded(one.recipient.email) in row.emails:
            found.add(one.subject_id)
    return frozenset(found)


def in_flight(draft: Database, subject_ids: frozenset[int]) -> bool:
    """Whether an order of theirs is on its way."""
    return any(one.subject_id in subject_ids and one.state in _IN_FLIGHT for one in draft.shipments.values())


def identifiers(row: RequestRow) -> dict[str, list[str]]:
    """By the names that the stores' protocol has for them."""
    return {"email": list(row.emails), "customer_ref": list(row.references), "order_id": list(row.orders)}


def delete(draft: Database, meant: frozenset[int], world: "World") -> None:
    """Our own rows of these persons (erasure.own.erase)."""
    references = {draft.subjects[one].reference for one in meant if one in draft.subjects}
    draft.shipments = {key: one for key, one in draft.shipments.items() if one.subject_id not in meant}
    draft.disclosures = {one for one in draft.disclosures if one[0] not in meant}
    draft.mails = {key: one for key, one in draft.mails.items() if one.subject_id not in meant}
    consents.forget(draft, [key for key, one in draft.contacts.items() if one.subject_id in meant])
    for key, letter in list(draft.letters.items()):
        if letter.reference not in references:
            continue
        if letter.code is RefusalCode.SUBJECT_FENCED and letter.happened is not None:
            draft.letters[key] = letter._replace(state="replaying")
        else:
            del draft.letters[key]
    for one in meant:
        row = draft.subjects.get(one)
        if row is not None and row.fenced_at is not None:
            del draft.subjects[one]


def of_request(draft: Database, number: UUID) -> list[StoreRow]:
    """The stores that a request waits for, or waited for."""
    return [one for one in draft.stores.values() if one.request_id == number]
