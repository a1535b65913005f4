"""The shipping agent.

consumes  `orders`: order.placed, order.ready, order.address_changed, order.cancelled, order.delivered
decides   which carrier may know which part of the address (`workers.domain.shipping`)
emits     `carrier.<name>.addresses`: address.assigned, address.corrected, or a tombstone that withdraws the address
keeps     one sealed row per shipment, and a row in the disclosure ledger for all that a carrier was told
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import cast
from uuid import UUID

import orjson

from schemas.recipient import Recipient
from workers.db import literals, sql
from workers.domain import email_address, projection, shipping
from workers.domain.carriers import Carrier
from workers.domain.shipping import Notice, OrderEvent, Shipment, ShipmentState
from workers.engine.admission import Event
from workers.engine.database import Connection
from workers.engine.outbox import Message
from workers.settings import Settings
from workers.vault import sealing
from workers.vault.keyring import Keyring
from workers.vault.subjects import Subject

NAME = "shipping"
TOPIC = "orders"

_QUERIES = sql.queries("shipments")
_CONTRACT = "eu-gdpr:A6-1-b"
_CONTRACT_AND_CONSENT = "eu-gdpr:A6-1-b eu-gdpr:A6-1-a"
_CONTACT_FIELDS = frozenset(("phone", "email"))
_SHIPMENT_COLUMNS = (
    "shipment_id", "subject_id", "carrier", "state", "revision", "contact_consent", "recipient", "placed_at",
    "email_hash",
)  # fmt: skip
_DISCLOSURE_COLUMNS = (
    "subject_id", "shipment_id", "revision", "recipient", "action", "fields", "legal_basis",
)  # fmt: skip


class ShippingUnit:
    """One attempt to apply a batch of order events (engine.unit.UnitOfWork)."""

    def __init__(self, carriers: Mapping[str, Carrier], settings: Settings, keyring: Keyring) -> None:
        self._carriers = carriers
        self._topics = {name: settings.topic(f"carrier.{name}.addresses") for name in carriers}
        self._settings = settings
        self._keyring = keyring
        self._shipments: dict[str, Shipment] = {}
        self._sealed: dict[str, bytes | None] = {}
        self._new: set[str] = set()
        self._changed: set[str] = set()
        self._notices: list[tuple[int, Notice]] = []

    async def load(self, connection: Connection, events: Sequence[tuple[Event, Subject]]) -> None:
        """Read the shipments that these events are about, locked until the commit."""
        wanted = {_order(event).order_id for event, _ in events}
        rows = await connection.fetch(_QUERIES["load"], literals.array(wanted))
        subjects = {subject.subject_id: subject for _, subject in events} if rows else {}
        for row in rows:
            shipment_id: str = row["shipment_id"]
            self._sealed[shipment_id] = row["recipient"]
            self._shipments[shipment_id] = Shipment(
                shipment_id,
                row["subject_id"],
                row["carrier"],
                ShipmentState(row["state"]),
                row["revision"],
                row["contact_consent"],
                open_recipient(row["recipient"], subjects.get(row["subject_id"]), shipment_id),
                row["placed_at"],
            )

    def handle(self, event: Event, subject: Subject) -> list[Message]:
        """Decide one order event; what its carriers are told. Raises Refused with nothing changed."""
        order = _order(event)
        shipment_id = order.order_id
        before = self._shipments.get(shipment_id)
        after, notices = shipping.decide(order, event.occurred_at, subject.subject_id, before, self._carriers)
        if after is not before:
            if before is None or before.recipient is not after.recipient:
                self._sealed[shipment_id] = _seal(after, subject)
            (self._new if before is None else self._changed).add(shipment_id)
            self._shipments[shipment_id] = after
        self._notices += [(subject.subject_id, notice) for notice in notices]
        return [self._message(notice, subject) for notice in notices]

    async def store(self, connection: Connection, now: datetime) -> None:
        """Write new and changed shipments, and what was disclosed."""
        if self._new:
            rows = [self._row(self._shipments[shipment_id]) for shipment_id in self._new]
            await connection.copy_records_to_table("shipments", records=rows, columns=_SHIPMENT_COLUMNS)
        changed = [self._shipments[shipment_id] for shipment_id in self._changed - self._new]
        if changed:
            await connection.execute(
                _QUERIES["change"],
                [shipment.shipment_id for shipment in changed],
                [shipment.carrier for shipment in changed],
                [shipment.state for shipment in changed],
                [shipment.revision for shipment in changed],
                [shipment.contact_consent for shipment in changed],
                [self._sealed[shipment.shipment_id] for shipment in changed],
                now,
                [self._email_hash(shipment) for shipment in changed],
            )
        if self._notices:
            ledger = [_disclosure(subject_id, notice) for subject_id, notice in self._notices]
            await connection.copy_records_to_table("disclosures", records=ledger, columns=_DISCLOSURE_COLUMNS)

    def _row(self, shipment: Shipment) -> tuple[object, ...]:
        return (
            shipment.shipment_id, shipment.subject_id, shipment.carrier, shipment.state, shipment.revision,
            shipment.contact_consent, self._sealed[shipment.shipment_id], shipment.placed_at,
            self._email_hash(shipment),
        )  # fmt: skip

    def _email_hash(self, shipment: Shipment) -> UUID | None:
        """By what a request that comes by mail finds this order."""
        email = None if shipment.recipient is None else shipment.recipient.email
        if not email:
            return None
        return UUID(bytes=self._keyring.lookup_hash("email", email_address.folded(email).encode()))

    def _message(self, notice: Notice, subject: Subject) -> Message:
        """The notice as a record on its carrier's topic. A carrier may have been removed from the configuration
        since it was told an address: it is still told to forget it."""
        topic = self._topics.get(notice.carrier) or self._settings.topic(f"carrier.{notice.carrier}.addresses")
        return Message(
            subject,
            topic,
            notice.shipment_id,
            notice.action,
            f"{notice.shipment_id}.{notice.revision}",
            None if notice.address is None else _body(notice),
            notice.reason,
        )


def _order(event: Event) -> OrderEvent:
    return cast(OrderEvent, event.data)  # admission lets only events of the topic through


def _body(notice: Notice) -> bytes:
    return orjson.dumps(
        {
            "shipment_id": notice.shipment_id,
            "carrier": notice.carrier,
            "revision": notice.revision,
            "address": notice.address,
        }
    )


def _disclosure(subject_id: int, notice: Notice) -> tuple[object, ...]:
    fields, basis = _said(projection.fields_of(notice.address) if notice.address is not None else ())
    return (subject_id, notice.shipment_id, notice.revision, notice.carrier, notice.action, fields, basis)


@cache
def _said(fields: tuple[str, ...]) -> tuple[str, str]:
    """How the ledger words what was disclosed: the fields' names, and the legal basis. Few combinations occur."""
    return " ".join(fields), _CONTRACT if _CONTACT_FIELDS.isdisjoint(fields) else _CONTRACT_AND_CONSENT


def _place(subject_id: int, shipment_id: str) -> bytes:
    return sealing.place("shipments", "recipient", subject_id, shipment_id)


def _seal(shipment: Shipment, subject: Subject) -> bytes | None:
    if shipment.recipient is None:
        return None
    plaintext = Recipient.__pydantic_serializer__.to_json(shipment.recipient, exclude_none=True)
    return subject.key.seal(plaintext, _place(subject.subject_id, shipment.shipment_id))


def open_recipient(sealed: bytes | None, subject: Subject | None, shipment_id: str) -> Recipient | None:
    """The recipient; None when it was erased, or is another person's than the event's."""
    if sealed is None or subject is None:
        return None
    return Recipient.model_validate_json(subject.key.unseal(sealed, _place(subject.subject_id, shipment_id)))
