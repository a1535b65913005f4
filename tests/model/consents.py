"""Consent in the small world: the desk's own session decides; what it reads and writes is a draft's."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from schemas.consent import EVERY_PURPOSE
from tests.model.database import ContactRow, Database, Said
from tests.model.transactions import hold, opened
from workers.consent.contacts import Contact, Fenced, Known
from workers.consent.people import Person
from workers.consent.session import ConsentSession
from workers.consent.suppressions import Suppressions
from workers.domain.consent import VALID, ConsentChange, Effect, Entity, Kind
from workers.errors import RefusalCode, Refused

if TYPE_CHECKING:
    from tests.model.world import World

VALID_FOR = timedelta(days=60)
RENEWAL_BEFORE = timedelta(days=20)
_BEGINNINGS = (Kind.GIVEN, Kind.IMPORTED)
_ASKING = (Effect.ASK, Effect.ASK_RENEWAL)


class _Suppressions(Suppressions):
    """Without a keyring: an address stands for its hash."""

    def __init__(self, draft: Database) -> None:
        super().__init__(cast(Any, None), cast(Any, None))
        self._rows = dict(draft.suppressions)

    def hash(self, email: str) -> bytes:
        return email.encode()

    def rows(self) -> dict[tuple[bytes, str], Any]:
        return self._rows


class _People:
    """Whose consent an event is about (consent.people.People): found, or made where consent begins."""

    def __init__(self, world: "World", draft: Database, change: ConsentChange) -> None:
        self._world = world
        self._draft = draft
        self.made: list[int] = []
        self._is_fenced = False
        found = [row for row in draft.contacts.values() if _is_meant(row, change)]
        if not found and change.kind in _BEGINNINGS and change.email is not None:
            found = self._make(change, change.email)
        self.contacts: list[Known] = [_open(draft, row) for row in found]

    def of(self, change: ConsentChange) -> Person:
        known = next(iter(self.contacts), None)
        if change.contact_id is not None:
            return Person(known.email if isinstance(known, Contact) else None, known)
        if self._is_fenced:
            raise Refused(RefusalCode.SUBJECT_FENCED, "this person's data is being erased", keep_body=False)
        return Person(change.email, known)

    def _make(self, change: ConsentChange, email: str) -> list[ContactRow]:
        owner = change.reference_hash or email.encode()
        subject = hold(self._world, self._draft, [owner.decode()])[owner]
        if subject.fenced:
            self._is_fenced = True
            return []
        number = next(self._world.numbers)
        reference = None if change.reference_hash is None else change.reference_hash.decode()
        row = ContactRow(number, email, subject.subject_id, reference, self._world.now)
        self._draft.contacts[number] = row
        self.made.append(number)
        return [row]


def apply(world: "World", draft: Database, change: ConsentChange) -> None:
    """Decide one event and write what follows. Raises Refused with nothing changed."""
    people, suppressions = _People(world, draft, change), _Suppressions(draft)
    session = ConsentSession(
        cast(Any, None), cast(Any, people), suppressions, cast(Any, None), cast(Any, None), world.purposes, VALID_FOR,
        world.now,
    )  # fmt: skip
    numbers = {one.contact_id for one in people.contacts}
    session._contacts = {one.contact_id: one for one in people.contacts if isinstance(one, Contact)}
    session._records = {key: one for key, one in draft.consents.items() if key[0] in numbers}
    email = _email(draft, change)
    try:
        session.decide(change)
        _write(draft, session, suppressions)
        draft.said.append(Said(email, change, world.now))
    finally:
        for number in people.made:
            if not draft.records_of(number):
                del draft.contacts[number]


def withdraw_subjects(world: "World", draft: Database, subject_ids: Collection[int]) -> list[str]:
    """All that these persons agreed to ends, before they are fenced; their addresses."""
    theirs = [row for row in draft.contacts.values() if row.subject_id in subject_ids]
    for row in theirs:
        apply(world, draft, by_contact(world, Kind.WITHDRAWN, row.contact_id, EVERY_PURPOSE, Entity.SUBJECT))
    return [row.email for row in theirs]


def forget(draft: Database, contacts: Iterable[int]) -> None:
    """Delete contacts, their records and open links. Suppressions stay."""
    for number in list(contacts):
        for key in draft.records_of(number):
            del draft.consents[key]
            draft.asked.discard(key)
        del draft.contacts[number]


def by_contact(world: "World", kind: Kind, contact_id: int, purpose: str, entity: Entity) -> ConsentChange:
    """Something about a contact, now."""
    return ConsentChange(kind, purpose, entity, "model", world.now, contact_id=contact_id)


def due(world: "World") -> list[ConsentChange]:
    """What the caretaker finds: consents that have expired, or that are to be renewed."""
    found = []
    for (number, purpose), one in world.db.consents.items():
        record = one.record
        if record.status not in VALID or record.expires_at is None:
            continue
        if record.expires_at <= world.now:
            found.append(by_contact(world, Kind.EXPIRED, number, purpose, Entity.LETHE))
        elif record.expires_at <= world.now + RENEWAL_BEFORE:
            found.append(by_contact(world, Kind.RENEWAL_REQUESTED, number, purpose, Entity.LETHE))
    return found


def _write(draft: Database, session: ConsentSession, suppressions: _Suppressions) -> None:
    for number, reference in session._references.items():
        row, contact = draft.contacts[number], session._contacts[number]
        draft.contacts[number] = row._replace(
            reference=row.reference or (reference.decode() if reference else None),
            last_own_contact_at=contact.last_own_contact_at, undeliverable_since=contact.undeliverable_since,
        )  # fmt: skip
    draft.consents.update({key: session._records[key] for key in session._changed})
    draft.suppressions = suppressions.rows()
    draft.asked -= {key for key, one in session._records.items() if one.record_id in session._ended}
    draft.asked |= {key for key, effect in session._letters_due.items() if effect in _ASKING}


def _is_meant(row: ContactRow, change: ConsentChange) -> bool:
    return row.contact_id == change.contact_id if change.contact_id is not None else row.email == change.email


def _email(draft: Database, change: ConsentChange) -> str:
    if change.email is not None:
        return change.email
    row = draft.contacts.get(change.contact_id or 0)
    return "" if row is None else row.email


def _open(draft: Database, row: ContactRow) -> Known:
    if not draft.lives(row.subject_id):
        return Fenced(row.contact_id, row.email.encode())
    subject = opened(draft.subjects[row.subject_id])
    return Contact(
        row.contact_id, row.email.encode(), row.email, "en", subject, row.undeliverable_since, row.last_own_contact_at
    )
