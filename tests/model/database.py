"""The tables, in memory. A transaction works on a draft, which replaces what is committed or is thrown away."""

import copy
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from tests.model.log import Happened
from workers.consent.records import ConsentRecord
from workers.domain.consent import ConsentChange, Suppression
from workers.domain.requests import Reason, RequestState
from workers.domain.shipping import Shipment
from workers.domain.store_progress import StoreState
from workers.engine.outbox import Message
from workers.errors import RefusalCode
from workers.proof.facts import Facts


class SubjectRow(NamedTuple):
    """A person's data key: what is sealed under it can be opened while this row is there."""

    subject_id: int
    reference: str
    epoch: int
    fenced_at: datetime | None = None
    not_before: datetime | None = None


class ContactRow(NamedTuple):
    contact_id: int
    email: str
    subject_id: int
    reference: str | None
    last_own_contact_at: datetime
    undeliverable_since: datetime | None = None


class MailRow(NamedTuple):
    """Marketing: `intent`, `sent` or `cancelled`."""

    mail_id: int
    contact_id: int
    subject_id: int
    purpose: str
    state: str = "intent"


class OutboxRow(NamedTuple):
    lane: str
    position: int
    next_position: int
    messages: tuple[Message, ...]


class Letter(NamedTuple):
    """A dead letter. `happened` is None where not even a sealed copy may be kept."""

    topic: str
    reference: str
    code: RefusalCode
    happened: Happened | None
    state: str = "parked"


class RequestRow(NamedTuple):
    request_id: UUID
    state: RequestState
    emails: tuple[str, ...]
    references: tuple[str, ...]
    received_at: datetime
    due_at: datetime
    is_verified: bool
    joined: UUID | None = None
    orders: tuple[str, ...] = ()
    reason: Reason | None = None
    step: str = "none"
    round_id: int | None = None
    subject_ids: frozenset[int] = frozenset()
    hold_until: datetime | None = None
    closed_at: datetime | None = None
    certificate: int | None = None
    has_key: bool = True


class RoundRow(NamedTuple):
    round_id: int
    key_epoch: int
    fenced_at: datetime
    state: str = "fenced"
    effective_at: datetime | None = None
    inbound: tuple[tuple[str, int], ...] = ()
    disclosed: frozenset[tuple[str, str]] = frozenset()
    """Carrier's topic and shipment."""
    trimmed_at: datetime | None = None
    compacted_at: datetime | None = None
    shredded_at: datetime | None = None


class StoreRow(NamedTuple):
    subject_ref: UUID
    request_id: UUID
    store: str
    state: StoreState
    due_at: datetime
    reason: str | None = None
    attempts: int = 0
    task_id: UUID | None = None
    verified_at: datetime | None = None
    kept: bool = False


class CarrierNoticeRow(NamedTuple):
    request_id: UUID
    carrier: str
    told_at: datetime
    acknowledged_at: datetime | None = None


class Certificate(NamedTuple):
    """`facts` are what it states; the rest is what a test needs to judge them."""

    facts: Facts
    subject_ids: frozenset[int]
    round_id: int
    stores: tuple[StoreRow, ...]
    moment: int


class Said(NamedTuple):
    """A consent event that was accepted, in the order of acceptance."""

    email: str
    change: ConsentChange
    recorded_at: datetime


class Told(NamedTuple):
    """A move of a request, from where to where."""

    request_id: UUID
    before: RequestState
    after: RequestState
    step: str


@dataclass
class Database:
    """`applied`, `verdicts`, `said`, `told`, `effective` are the model's own books, kept by the same transactions."""

    positions: dict[str, int] = field(default_factory=dict)
    seen: set[bytes] = field(default_factory=set)
    subjects: dict[int, SubjectRow] = field(default_factory=dict)
    erased_references: dict[str, datetime] = field(default_factory=dict)
    shipments: dict[str, Shipment] = field(default_factory=dict)
    disclosures: set[tuple[int, str, str]] = field(default_factory=set)
    contacts: dict[int, ContactRow] = field(default_factory=dict)
    consents: dict[tuple[int, str], ConsentRecord] = field(default_factory=dict)
    suppressions: dict[tuple[bytes, str], Suppression] = field(default_factory=dict)
    asked: set[tuple[int, str]] = field(default_factory=set)
    mails: dict[int, MailRow] = field(default_factory=dict)
    outbox: list[OutboxRow] = field(default_factory=list)
    letters: dict[bytes, Letter] = field(default_factory=dict)
    requests: dict[UUID, RequestRow] = field(default_factory=dict)
    known_by: set[tuple[str, UUID]] = field(default_factory=set)
    rounds: dict[int, RoundRow] = field(default_factory=dict)
    stores: dict[UUID, StoreRow] = field(default_factory=dict)
    notices: dict[str, CarrierNoticeRow] = field(default_factory=dict)
    certificates: list[Certificate] = field(default_factory=list)
    staff_mails: set[tuple[object, int]] = field(default_factory=set)
    applied: list[bytes] = field(default_factory=list)
    verdicts: dict[tuple[str, int], str] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    effective: dict[int, int] = field(default_factory=dict)

    def draft(self) -> "Database":
        """A copy to write to: rows are never changed, only replaced."""
        return replace(self, **{one.name: copy.copy(getattr(self, one.name)) for one in fields(self)})

    def lives(self, subject_id: int) -> bool:
        """Whether the subject is there and not fenced."""
        row = self.subjects.get(subject_id)
        return row is not None and row.fenced_at is None

    def records_of(self, contact_id: int) -> list[tuple[int, str]]:
        """The keys of a contact's consents."""
        return [key for key in self.consents if key[0] == contact_id]
