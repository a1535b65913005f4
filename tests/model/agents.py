"""The agents: what each does with an event, on a draft; every decision is the domain's."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import orjson

from schemas.address import AddressWithdrawalAcknowledged
from schemas.request import ErasureRequested, RequestCancelled
from schemas.store import StoreReceipt
from tests.model import consents, desk
from tests.model.database import Database
from tests.model.engine import UnitMaker
from workers import newsletter, requests
from workers.domain import projection, shipping, store_progress
from workers.domain.requests import Move
from workers.domain.shipping import Notice, OrderEvent
from workers.engine.admission import Event
from workers.engine.outbox import Message
from workers.errors import RefusalCode, Refused
from workers.vault.subjects import Subject

if TYPE_CHECKING:
    from datetime import datetime

    from tests.model.world import World

ORDERS = "orders"
CONSENTS = "consents"
REQUESTS = "requests"
RECEIPTS = "store-receipts"
CARRIER_RECEIPTS = "carrier-receipts"


class _Agent:
    def __init__(self, world: "World", draft: Database) -> None:
        self._world = world
        self._draft = draft

    def store(self, now: "datetime") -> None:
        """Nothing is left to write."""


class Shipping(_Agent):
    def handle(self, event: Event, subject: Subject) -> list[Message]:
        order = cast(OrderEvent, event.data)
        before = self._draft.shipments.get(order.order_id)
        if before is not None and before.subject_id != subject.subject_id:
            before = before._replace(recipient=None)  # cannot be opened with another person's key
        after, notices = shipping.decide(order, event.occurred_at, subject.subject_id, before, self._world.carriers)
        self._draft.shipments[order.order_id] = after
        for one in notices:
            if one.address is not None:
                assert projection.fields_of(one.address)
            self._draft.disclosures.add((subject.subject_id, topic_of(one.carrier), one.shipment_id))
        return [_message(one, subject) for one in notices]


class Newsletter(_Agent):
    def handle(self, event: Event, subject: Subject) -> list[Message]:
        consents.apply(self._world, self._draft, newsletter._change(event))
        return []


class Requests(_Agent):
    def handle(self, event: Event, subject: Subject) -> list[Message]:
        said = cast(ErasureRequested | RequestCancelled, event.data)
        number = said.subject_request_id
        if isinstance(said, ErasureRequested):
            known_by = requests._identities(said)
            desk.open_request(self._world, self._draft, number, known_by.emails, known_by.references, verified=True)
            return []
        if number not in self._draft.requests:
            raise Refused(RefusalCode.REQUEST_UNKNOWN, "no request has this number", "subject_request_id")
        desk.move(self._world, self._draft, number, Move.CANCEL)
        return []


class Receipts(_Agent):
    def handle(self, event: Event, subject: Subject) -> list[Message]:
        receipt = cast(StoreReceipt, event.data)
        for result in receipt.results:
            row = self._draft.stores.get(result.subject_ref)
            if row is None or row.store != receipt.store or row.task_id != receipt.task_id:
                continue
            after = store_progress.after(row.state, row.attempts, receipt.action, result.outcome, result.reason)
            if after is None:
                continue
            final = after.state in ("absent", "kept")
            self._draft.stores[result.subject_ref] = row._replace(
                state=after.state, due_at=self._world.now + after.delay, reason=after.reason,
                verified_at=self._world.now if final else row.verified_at, kept=row.kept or bool(result.kept),
            )  # fmt: skip
        return []


class CarrierReceipts(_Agent):
    def handle(self, event: Event, subject: Subject) -> list[Message]:
        answer = cast(AddressWithdrawalAcknowledged, event.data)
        notice = self._draft.notices.get(answer.withdrawal_id)
        if notice is not None and notice.carrier == answer.carrier and notice.acknowledged_at is None:
            self._draft.notices[answer.withdrawal_id] = notice._replace(acknowledged_at=self._world.now)
        return []


AGENTS: Mapping[str, UnitMaker] = {
    ORDERS: Shipping, CONSENTS: Newsletter, REQUESTS: Requests, RECEIPTS: Receipts, CARRIER_RECEIPTS: CarrierReceipts,
}  # fmt: skip


def topic_of(carrier: str) -> str:
    """The topic of a carrier's addresses."""
    return f"carrier.{carrier}.addresses"


def _message(notice: Notice, subject: Subject) -> Message:
    value = None if notice.address is None else orjson.dumps(notice.address)
    event_id = f"{notice.shipment_id}.{notice.revision}"
    return Message(subject, topic_of(notice.carrier), notice.shipment_id, notice.action, event_id, value, notice.reason)
