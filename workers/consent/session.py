"""One transaction's consent events: loaded together, decided one after the other, stored together."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from schemas.consent import EVERY_PURPOSE
from workers.consent import records
from workers.consent.contacts import Contact, ContactBook, Fenced
from workers.consent.letters import TEMPLATES, Letter, Letters
from workers.consent.people import People
from workers.consent.records import ConsentEvent, ConsentRecord
from workers.consent.suppressions import Suppressions
from workers.consent.tokens import Tokens
from workers.domain import consent
from workers.domain.consent import ENDINGS, VALID, ConsentChange, Decision, Effect, Kind, Status, Suppression
from workers.domain.purposes import Purposes
from workers.engine.database import Connection
from workers.errors import RefusalCode, Refused
from workers.vault.subjects import Subject

_Key = tuple[int, str]


class ConsentOutcome(NamedTuple):
    """What became of one event. `status` is that of its purpose's record afterwards; None: there is none.

    `effects` say which mails follow, if the address has not had too many of them. `refusal`: nothing happened.
    """

    contact_id: int | None
    status: Status | None
    effects: frozenset[Effect] = frozenset()
    refusal: Refused | None = None


class ConsentSession:
    """Made by ConsentDesk for one transaction; call load, then decide per event in order, then store."""

    def __init__(
        self,
        book: ContactBook,
        people: People,
        suppressions: Suppressions,
        tokens: Tokens,
        letters: Letters,
        purposes: Purposes,
        valid_for: timedelta,
        now: datetime,
    ) -> None:
        self._book = book
        self._people = people
        self._suppressions = suppressions
        self._tokens = tokens
        self._letters = letters
        self._purposes = purposes
        self._valid_for = valid_for
        self._now = now
        self._records: dict[_Key, ConsentRecord] = {}
        self._changed: set[_Key] = set()
        self._ended: set[uuid.UUID] = set()
        self._events: list[tuple[ConsentEvent, Subject | None]] = []
        self._contacts: dict[int, Contact] = {}
        self._references: dict[int, bytes | None] = {}
        self._letters_due: dict[_Key, Effect] = {}

    async def load(self, connection: Connection, changes: Sequence[ConsentChange]) -> None:
        """Read and lock all that these events touch."""
        await self._people.load(connection, changes, self._now)
        self._contacts = {one.contact_id: one for one in self._people.contacts if isinstance(one, Contact)}
        await self._suppressions.load(connection, self._people.emails)
        for one in await records.lock(connection, [one.contact_id for one in self._people.contacts]):
            self._records[one.contact_id, one.purpose] = one

    def decide(self, change: ConsentChange) -> ConsentOutcome:
        """Decide one loaded event. Raises Refused with nothing changed."""
        if change.kind in ENDINGS:
            return self._end(change)
        email, known = self._people.of(change)
        self._purposes.declared(change.purpose)
        if isinstance(known, Fenced):
            raise Refused(
                RefusalCode.SUBJECT_FENCED,
                "this person's data is being erased: nothing about them is taken in any more",
                keep_body=False,
            )
        if known is None or email is None:
            raise Refused(RefusalCode.CONSENT_STATE, "nobody with this address has been asked; publish consent.given")
        decision = self._decide(change, known.contact_id, email, change.purpose)
        self._apply(change, known.contact_id, change.purpose, decision)
        self._follow(change, known.contact_id, email, decision)
        return self._outcome(change, known.contact_id, decision.effects)

    def attempt(self, change: ConsentChange) -> ConsentOutcome:
        """The same, with the refusal in the outcome."""
        try:
            return self.decide(change)
        except Refused as refusal:
            return ConsentOutcome(None, None, refusal=refusal)

    async def store(self, connection: Connection, now: datetime) -> None:
        """Write everything down; mails that follow are in the ledger from the commit on."""
        if self._references:
            changed = [(self._contacts[number], reference) for number, reference in self._references.items()]
            await self._book.change(connection, changed)
        if self._changed:
            await records.store(connection, [self._records[key] for key in sorted(self._changed)])
        if self._events:
            await records.add_events(connection, self._events)
        await self._suppressions.store(connection)
        if self._ended:
            await self._tokens.close(connection, sorted(self._ended), now)
        if self._people.made:
            await self._book.delete_unused(connection, self._people.made)
        for letter in self._due():
            await self._letters.post(connection, letter, now)
        await self._suppressions.tell_ledger(connection, now)

    def _due(self) -> list[Letter]:
        """One letter for all that a person is asked or told at once; renewals together where they end together."""
        grouped: dict[tuple[int, Effect, datetime | None], list[ConsentRecord]] = {}
        for key, effect in self._letters_due.items():
            one = self._records[key]
            ends = one.record.expires_at if effect is Effect.ASK_RENEWAL else None
            grouped.setdefault((one.contact_id, effect, ends), []).append(one)
        return [Letter(effect, self._contacts[number], tuple(ones)) for (number, effect, _), ones in grouped.items()]

    def _end(self, change: ConsentChange) -> ConsentOutcome:
        """A no: to one purpose, to every one, or about the address itself."""
        email, known = self._people.of(change)
        contact_id = None if known is None else known.contact_id
        scope = consent.scope(change)
        targets = sorted(purpose for number, purpose in self._records if number == contact_id)
        if scope != EVERY_PURPOSE:
            if scope not in targets:
                self._purposes.declared(scope)
            new = contact_id is None or (contact_id in self._people.made and scope not in targets)
            targets = [] if new else [scope]
        if email is None and not targets:
            raise Refused(RefusalCode.CONSENT_STATE, "there is no such contact, or nothing that could be ended")
        since = min(change.event_time, self._now)
        for purpose in targets:
            assert contact_id is not None
            decision = self._decide(change, contact_id, email, purpose)
            self._apply(change, contact_id, purpose, decision)
            if decision.record is not None:
                since = max(since, decision.record.changed_at)
            self._ended.add(self._records[contact_id, purpose].record_id)
        if email is not None:
            self._suppressions.add(email, scope, Suppression(ENDINGS[change.kind], since))
        if change.kind is Kind.HARD_BOUNCE and contact_id in self._contacts:
            self._change_contact(contact_id, undeliverable_since=since)
        return self._outcome(change, contact_id, frozenset((Effect.SUPPRESS,)))

    def _decide(self, change: ConsentChange, contact_id: int, email: str | None, purpose: str) -> Decision:
        before = self._records.get((contact_id, purpose))
        return consent.decide(
            None if before is None else before.record,
            None if email is None else self._suppressions.in_force(email, purpose),
            change,
            self._purposes.get(purpose),
            self._now,
            self._valid_for,
        )

    def _apply(self, change: ConsentChange, contact_id: int, purpose: str, decision: Decision) -> None:
        key = (contact_id, purpose)
        before = self._records.get(key)
        if decision.record is None:
            return
        if before is None or before.record != decision.record:
            record_id = uuid.uuid4() if before is None else before.record_id
            self._records[key] = ConsentRecord(record_id, contact_id, purpose, decision.record)
            self._changed.add(key)
        if decision.recorded:
            self._events.append(self._event(change, self._records[key]))
        if decision.record.status is not Status.REQUESTED:
            self._letters_due.pop(key, None)
        for effect in TEMPLATES.keys() & decision.effects:
            self._letters_due[key] = effect

    def _event(self, change: ConsentChange, one: ConsentRecord) -> tuple[ConsentEvent, Subject | None]:
        contact = self._contacts.get(one.contact_id)
        event = ConsentEvent(
            one.record_id, f"consent.{change.kind}", one.record.status, change.event_time, self._now, change.entity,
            change.collection_method, one.record.privacy_notice,
            change.language or (contact.language if contact else "en"), change.evidence,
        )  # fmt: skip
        return event, None if contact is None else contact.subject

    def _follow(self, change: ConsentChange, contact_id: int, email: str, decision: Decision) -> None:
        """What else changes when a person says yes."""
        if Effect.UNSUPPRESS in decision.effects:
            self._suppressions.lift(email, change.purpose, self._purposes)
        changed: dict[str, Any] = {}
        if change.language is not None and decision.effects:
            changed["language"] = change.language
        if change.kind is Kind.CONFIRMED:
            changed["undeliverable_since"] = None
        if Effect.OWN_CONTACT in decision.effects:
            at = min(change.event_time, self._now)
            changed["last_own_contact_at"] = max(at, self._contacts[contact_id].last_own_contact_at)
            self._extend(contact_id, at + self._valid_for)
        if changed or change.reference_hash is not None:
            self._change_contact(contact_id, change.reference_hash, **changed)

    def _extend(self, contact_id: int, expires_at: datetime) -> None:
        """The person was heard of: all that they agreed to lasts from then on."""
        for key, one in self._records.items():
            record = one.record
            if key[0] != contact_id or record.status not in VALID:
                continue
            if record.expires_at is not None and record.expires_at < expires_at:
                longer = record._replace(expires_at=expires_at, renewal_requested_at=None)
                self._records[key] = one._replace(record=longer)
                self._changed.add(key)

    def _change_contact(self, contact_id: int, reference_hash: bytes | None = None, **changed: Any) -> None:
        self._contacts[contact_id] = self._contacts[contact_id]._replace(**changed)
        self._references[contact_id] = self._references.get(contact_id) or reference_hash

    def _outcome(self, change: ConsentChange, contact_id: int | None, effects: frozenset[Effect]) -> ConsentOutcome:
        if contact_id is None:
            return ConsentOutcome(None, None, effects)
        one = self._records.get((contact_id, change.purpose))
        return ConsentOutcome(contact_id, None if one is None else one.record.status, effects)
