"""Whose consent each event is about: the contacts of one transaction, found, locked, and made where they are new."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from workers.consent.contacts import Contact, ContactBook, Known, NewContact
from workers.domain.consent import ENDINGS, ConsentChange, Kind
from workers.domain.email_address import normalise
from workers.engine.database import Connection
from workers.errors import RefusalCode, Refused
from workers.vault.keyring import Keyring
from workers.vault.subjects import SubjectVault

_BEGINNINGS = frozenset((Kind.GIVEN, Kind.IMPORTED))
_DEFAULT_LANGUAGE = "en"


class Person(NamedTuple):
    """`email` is None where the contact is fenced and the event names no address; `contact` where there is none."""

    email: str | None
    contact: Known | None


class People:
    """The contacts that a transaction's events are about."""

    def __init__(self, book: ContactBook, vault: SubjectVault, keyring: Keyring) -> None:
        self._book = book
        self._vault = vault
        self._keyring = keyring
        self._spelled: dict[str, str | Refused] = {}
        self._by_hash: dict[bytes, Known] = {}
        self._by_id: dict[int, Known] = {}
        self._fenced: set[bytes] = set()
        self.made: list[int] = []
        """Rows that are new: to be deleted again unless a record came of them."""

    async def load(self, connection: Connection, changes: Sequence[ConsentChange], now: datetime) -> None:
        """Find, lock and create what these events need."""
        hashes = {self._book.email_hash(email) for change in changes if (email := self._email(change))}
        numbers = {change.contact_id for change in changes if change.contact_id is not None}
        self._add(await self._book.lock(connection, hashes, numbers))
        new = await self._new(connection, changes)
        contacts, made = await self._book.create(connection, new, now)
        self._add(contacts)
        claimed, claims = await self._book.claim(connection, self._to_claim(changes), now)
        self._add(claimed)
        self.made = made + claims

    @property
    def contacts(self) -> list[Known]:
        """Each of them once."""
        return list(self._by_id.values())

    @property
    def emails(self) -> set[str]:
        """Every address that is known here."""
        named = {one for one in self._spelled.values() if isinstance(one, str)}
        return named | {one.email for one in self._by_id.values() if isinstance(one, Contact)}

    def of(self, change: ConsentChange) -> Person:
        """Who a loaded event is about. Raises Refused where its address is none, or its person is being erased."""
        if change.contact_id is not None:
            known = self._by_id.get(change.contact_id)
            return Person(known.email if isinstance(known, Contact) else None, known)
        email = self._spelled[change.email or ""]
        if isinstance(email, Refused):
            raise email
        email_hash = self._book.email_hash(email)
        if email_hash in self._fenced:
            raise Refused(
                RefusalCode.SUBJECT_FENCED,
                "this person's data is being erased: nothing about them is taken in any more",
                keep_body=False,
            )
        return Person(email, self._by_hash.get(email_hash))

    def _email(self, change: ConsentChange) -> str | None:
        """The normalised address of an event; None where it names a contact, or no address at all."""
        if change.contact_id is not None:
            return None
        raw = change.email or ""
        if raw not in self._spelled:
            try:
                self._spelled[raw] = normalise(raw)
            except Refused as refused:
                self._spelled[raw] = refused
        found = self._spelled[raw]
        return found if isinstance(found, str) else None

    def _add(self, contacts: Sequence[Known]) -> None:
        for one in contacts:
            self._by_hash[one.email_hash] = one
            self._by_id[one.contact_id] = one

    async def _new(self, connection: Connection, changes: Sequence[ConsentChange]) -> list[NewContact]:
        """A contact for each unknown address that consent begins for; the first event decides whose it is."""
        wanted: dict[str, ConsentChange] = {}
        for change in changes:
            email = self._email(change) if change.kind in _BEGINNINGS else None
            if email is not None and self._book.email_hash(email) not in self._by_hash:
                wanted.setdefault(email, change)
        owners = {
            email: change.reference_hash or self._book.email_hash(email) for email, change in wanted.items()
        }  # fmt: skip
        subjects = await self._vault.hold(connection, owners.values()) if owners else {}
        self._fenced = {self._book.email_hash(email) for email in owners if subjects[owners[email]].fenced}
        return [
            NewContact(email, change.language or _DEFAULT_LANGUAGE, subjects[owners[email]], change.reference_hash)
            for email, change in wanted.items()
            if not subjects[owners[email]].fenced
        ]

    def _to_claim(self, changes: Sequence[ConsentChange]) -> list[bytes]:
        """Unknown addresses that a no is about. Nothing is kept of them but the suppression; yet until the commit
        nobody may add them, or a yes of the same moment would not see the no."""
        hashes = {
            self._book.email_hash(email)
            for change in changes
            if change.kind in ENDINGS and (email := self._email(change))
        }
        return sorted(hash_ for hash_ in hashes if hash_ not in self._by_hash and hash_ not in self._fenced)
