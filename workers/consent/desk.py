"""The consent desk: consent events applied in the caller's transaction, and what pages and mails need to know.

Kafka's agent, the pages for people, the postbox, imports and commands all come here: there is one way to consent and
one way out. What is applied is in force from the caller's commit on.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from schemas.consent import EVERY_PURPOSE
from workers.consent import records
from workers.consent.contacts import Contact, ContactBook
from workers.consent.floods import Floods
from workers.consent.letters import CONFIRM_TOKEN, Letters
from workers.consent.people import People
from workers.consent.records import ConsentEvent, ConsentRecord
from workers.consent.session import ConsentOutcome, ConsentSession
from workers.consent.suppressions import Suppressions
from workers.consent.tokens import Tokens, TokenState
from workers.domain.consent import ConsentChange, Entity, Kind, Suppression
from workers.domain.email_address import normalise
from workers.domain.purposes import Purposes
from workers.engine.database import Connection
from workers.errors import RefusalCode, Refused
from workers.mail.desk import MailDesk
from workers.settings import Settings
from workers.vault.keyring import Keyring
from workers.vault.subjects import SubjectVault

_YEAR = timedelta(days=365)


class ConsentDesk:
    """One per process. Every method works in the caller's transaction."""

    def __init__(
        self, vault: SubjectVault, keyring: Keyring, purposes: Purposes, mail_desk: MailDesk, settings: Settings
    ) -> None:
        self.purposes = purposes
        self._vault = vault
        self._keyring = keyring
        self._settings = settings
        self._book = ContactBook(vault, keyring)
        self._tokens = Tokens(keyring)
        self._letters = Letters(mail_desk, self._tokens, Floods(keyring), purposes, settings)
        self._valid_for = settings.consent_years * _YEAR

    def session(self, now: datetime) -> ConsentSession:
        """For a caller that loads, decides and stores in steps of its own."""
        people = People(self._book, self._vault, self._keyring)
        return ConsentSession(
            self._book, people, Suppressions(self._keyring, self._settings), self._tokens, self._letters, self.purposes,
            self._valid_for, now,
        )  # fmt: skip

    async def apply(
        self, connection: Connection, events: Sequence[ConsentChange], now: datetime
    ) -> list[ConsentOutcome]:
        """Apply events in order; an outcome for each. One that is refused changes nothing, the others have effect."""
        session = self.session(now)
        await session.load(connection, events)
        outcomes = [session.attempt(event) for event in events]
        await session.store(connection, now)
        return outcomes

    async def contact_by_email(self, connection: Connection, email: str) -> Contact | None:
        """The contact of an address in any spelling, held against a fence; None: unknown or being erased.

        Raises Refused where it is no address.
        """
        found = await self._book.find(connection, [self._book.email_hash(normalise(email))])
        return next((one for one in found if isinstance(one, Contact)), None)

    async def contact_by_id(self, connection: Connection, contact_id: int) -> Contact | None:
        """The contact of this number, held against a fence; None: unknown or being erased."""
        found = await self._book.find(connection, [], [contact_id])
        return next((one for one in found if isinstance(one, Contact)), None)

    async def contacts_by_id(self, connection: Connection, contact_ids: Collection[int]) -> dict[int, Contact]:
        """Contacts by their numbers, held against a fence; those unknown or being erased are left out."""
        found = await self._book.find(connection, [], contact_ids)
        return {one.contact_id: one for one in found if isinstance(one, Contact)}

    async def statuses(self, connection: Connection, contact_id: int) -> list[ConsentRecord]:
        """The contact's consent records."""
        return await records.of_contact(connection, contact_id)

    async def history(self, connection: Connection, contact: Contact) -> list[ConsentEvent]:
        """All that ever happened to the contact's consent, with the evidence."""
        return await records.history(connection, contact.contact_id, contact.subject)

    async def suppression(self, connection: Connection, email: str, purpose: str) -> Suppression | None:
        """What forbids to write to an address for a purpose; None: nothing does. Raises Refused: no address."""
        suppressions, spelled = Suppressions(self._keyring, self._settings), normalise(email)
        await suppressions.load(connection, [spelled])
        return suppressions.in_force(spelled, purpose)

    async def forbidden(
        self, connection: Connection, mails: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], Suppression]:
        """Which of these may not be sent: pairs of normalised address and purpose, and what forbids each."""
        suppressions = Suppressions(self._keyring, self._settings)
        await suppressions.load(connection, [email for email, _ in mails])
        found = {(email, purpose): suppressions.in_force(email, purpose) for email, purpose in mails}
        return {mail: no for mail, no in found.items() if no is not None}

    async def suppressions(self, connection: Connection, email: str) -> dict[str, Suppression]:
        """Every suppression of an address, by purpose; `*` is every purpose. Raises Refused where it is no address."""
        suppressions, spelled = Suppressions(self._keyring, self._settings), normalise(email)
        await suppressions.load(connection, [spelled])
        return suppressions.of(spelled)

    async def issue_token(
        self,
        connection: Connection,
        kind: str,
        contact_id: int,
        record_id: UUID | None,
        now: datetime,
        lifetime: timedelta,
    ) -> str:
        """A token for a link in a mail. It is returned here only; the database holds a keyed hash of it."""
        return await self._tokens.issue(connection, kind, contact_id, [record_id], now, lifetime)

    async def look_at_token(self, connection: Connection, kind: str, token: str, now: datetime) -> TokenState | None:
        """For a GET: what a token is for; None: there is no such token. Used and expired ones are told by the state
        (`is_open(now)`). Changes nothing."""
        return await self._tokens.look_at(connection, kind, token)

    async def use_token(self, connection: Connection, kind: str, token: str, now: datetime) -> TokenState | None:
        """For a POST: use it up. None: unknown, expired or used before; only one caller ever gets it."""
        return await self._tokens.use(connection, kind, token, now)

    async def confirm(
        self, connection: Connection, token: str, evidence: Mapping[str, Any], now: datetime
    ) -> dict[str, ConsentOutcome] | None:
        """For the POST of a confirmation or renewal page: use the token, record each consent that it is about.

        An outcome by purpose; None as `use_token`.
        """
        state = await self.look_at_token(connection, CONFIRM_TOKEN, token, now)
        if state is None or not state.purposes:
            return None
        changes = {
            purpose: ConsentChange(
                Kind.CONFIRMED, purpose, Entity.SUBJECT, "confirmation_link", now, contact_id=state.contact_id,
                evidence=evidence,
            )
            for purpose in state.purposes
        }  # fmt: skip
        session = self.session(now)
        await session.load(connection, list(changes.values()))  # locks as every other change: the contact first
        used = await self.use_token(connection, CONFIRM_TOKEN, token, now)
        if used is None:
            return None
        outcomes = {purpose: session.attempt(changes[purpose]) for purpose in used.purposes}
        await session.store(connection, now)
        return outcomes

    async def touch(self, connection: Connection, contact_id: int, now: datetime) -> None:
        """The person was in contact of their own accord (a question, a changed preference; never an opened mail):
        their consents last from now on."""
        await self._book.touch(connection, contact_id, now)
        await records.touch(connection, contact_id, now + self._valid_for)

    async def forget_unanswered(self, connection: Connection, contact_ids: Sequence[int], before: datetime) -> int:
        """Forget what was asked for before then and never confirmed, and contacts that nothing else is known of.

        Returns how many requests were forgotten.
        """
        await self._book.lock(connection, [], contact_ids)
        record_ids = await records.unanswered(connection, contact_ids, before)
        await self._tokens.erase(connection, record_ids)
        await records.erase(connection, record_ids)
        await self._book.delete_unused(connection, contact_ids)
        return len(record_ids)

    async def withdraw_subjects(
        self, connection: Connection, subject_ids: Collection[int], now: datetime
    ) -> list[Contact]:  # fmt: skip
        """People are to be erased: everything that they agreed to ends, and their addresses, which are returned, are
        suppressed.

        To be called before the subjects are fenced: their addresses must be opened for it. What is suppressed stays so
        after `erase_subjects`. Raises Refused where one of them is fenced.
        """
        numbers = await self._book.of_subjects(connection, subject_ids)
        contacts = await self.contacts_by_id(connection, numbers)
        if len(contacts) < len(numbers):
            raise Refused(RefusalCode.SUBJECT_FENCED, "the addresses to suppress can no longer be opened")
        changes = [
            ConsentChange(Kind.WITHDRAWN, EVERY_PURPOSE, Entity.SUBJECT, "erasure", now, contact_id=number)
            for number in numbers
        ]
        await self.apply(connection, changes, now)
        return list(contacts.values())

    async def erase_subjects(self, connection: Connection, subject_ids: Collection[int]) -> Counter[int]:
        """Delete these persons' contacts, records, histories and tokens; how many contacts of each. Opens nothing."""
        numbers = await self._book.of_subjects(connection, subject_ids)
        await records.erase(connection, await records.ids_of(connection, numbers))
        await self._book.erase(connection, list(numbers))
        return Counter(numbers.values())
