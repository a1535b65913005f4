"""Contacts: one e-mail address each, sealed under its subject's key, found by a keyed hash."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from workers.db import literals, sql
from workers.engine.database import Connection
from workers.vault import sealing
from workers.vault.keyring import Keyring
from workers.vault.subjects import Subject, SubjectVault

_QUERIES = sql.queries("contacts")
_TOKENS = sql.queries("tokens")


class Contact(NamedTuple):
    """An address that is open to be written to: its subject is not fenced, and is held until the commit."""

    contact_id: int
    email_hash: bytes
    email: str
    language: str
    subject: Subject
    undeliverable_since: datetime | None
    last_own_contact_at: datetime


class Fenced(NamedTuple):
    """A contact whose subject is being erased: its address is not opened any more."""

    contact_id: int
    email_hash: bytes


class NewContact(NamedTuple):
    """What a contact is made from."""

    email: str
    language: str
    subject: Subject
    reference_hash: bytes | None


Known = Contact | Fenced


class ContactBook:
    """Finds, opens and creates contacts."""

    def __init__(self, vault: SubjectVault, keyring: Keyring) -> None:
        self._vault = vault
        self._keyring = keyring

    def email_hash(self, email: str) -> bytes:
        """The hash that a normalised address is found by: 16 bytes."""
        return self._keyring.lookup_hash("email", email.encode())

    async def lock(
        self, connection: Connection, hashes: Collection[bytes], contact_ids: Collection[int] = ()
    ) -> list[Known]:
        """These contacts, locked for change, and their subjects against a fence, until the commit."""
        return await self._read(connection, "lock", hashes, contact_ids)

    async def find(
        self, connection: Connection, hashes: Collection[bytes], contact_ids: Collection[int] = ()
    ) -> list[Known]:
        """These contacts; only their subjects are held, against a fence."""
        return await self._read(connection, "find", hashes, contact_ids)

    async def create(
        self, connection: Connection, new: Iterable[NewContact], now: datetime
    ) -> tuple[list[Known], list[int]]:
        """Contacts for these addresses, and the numbers of those that are new: another transaction may be quicker."""
        by_hash = {self.email_hash(one.email): one for one in new}
        if not by_hash:
            return [], []
        rows = await connection.fetch(
            _QUERIES["create"],
            [UUID(bytes=hash_) for hash_ in by_hash],
            [one.subject.subject_id for one in by_hash.values()],
            [None if one.reference_hash is None else UUID(bytes=one.reference_hash) for one in by_hash.values()],
            [_seal(one.email, hash_, one.subject) for hash_, one in by_hash.items()],
            [one.language for one in by_hash.values()],
            now,
        )
        created = {row["email_hash"].bytes: row["contact_id"] for row in rows}
        contacts: list[Known] = [
            Contact(created[hash_], hash_, one.email, one.language, one.subject, None, now)
            for hash_, one in by_hash.items()
            if hash_ in created
        ]
        raced = [hash_ for hash_ in by_hash if hash_ not in created]
        return contacts + (await self.lock(connection, raced) if raced else []), list(created.values())

    async def claim(
        self, connection: Connection, hashes: Sequence[bytes], now: datetime
    ) -> tuple[list[Known], list[int]]:
        """Hold unknown addresses, so that no other transaction creates them before this one's end.

        Returns those that have a contact by now, and the numbers of the rows made, which must be deleted again.
        """
        if not hashes:
            return [], []
        rows = await connection.fetch(
            _QUERIES["create"], [UUID(bytes=hash_) for hash_ in hashes], [0] * len(hashes), [None] * len(hashes),
            [b""] * len(hashes), ["en"] * len(hashes), now,
        )  # fmt: skip
        made = {row["email_hash"].bytes: row["contact_id"] for row in rows}
        raced = [hash_ for hash_ in hashes if hash_ not in made]
        return (await self.lock(connection, raced) if raced else []), list(made.values())

    async def delete_unused(self, connection: Connection, contact_ids: Sequence[int]) -> None:
        """Delete those of these contacts that have no record."""
        await connection.execute(_QUERIES["delete_unused"], literals.array(map(str, contact_ids)))

    async def of_subjects(self, connection: Connection, subject_ids: Collection[int]) -> dict[int, int]:
        """The numbers of these persons' contacts, and whose each is, locked for change; nothing is opened."""
        rows = await connection.fetch(_QUERIES["of_subjects"], literals.array(map(str, subject_ids)))
        return {row["contact_id"]: row["subject_id"] for row in rows}

    async def erase(self, connection: Connection, contact_ids: Sequence[int]) -> None:
        """Delete contacts and the tokens of their links."""
        named = literals.array(map(str, contact_ids))
        await connection.execute(_TOKENS["erase_of_contacts"], named)
        await connection.execute(_QUERIES["erase"], named)

    async def change(self, connection: Connection, contacts: Sequence[tuple[Contact, bytes | None]]) -> None:
        """Write language, deliverability, last own contact, and the customer reference where none was known."""
        await connection.execute(
            _QUERIES["change"],
            [one.contact_id for one, _ in contacts],
            [one.language for one, _ in contacts],
            [one.undeliverable_since for one, _ in contacts],
            [one.last_own_contact_at for one, _ in contacts],
            [None if reference is None else UUID(bytes=reference) for _, reference in contacts],
        )

    async def touch(self, connection: Connection, contact_id: int, now: datetime) -> None:
        """The person was in contact of their own accord."""
        await connection.execute(_QUERIES["touch"], contact_id, now)

    async def of_rows(self, connection: Connection, rows: Sequence[asyncpg.Record]) -> list[Known]:
        """Rows of contacts, opened."""
        if not rows:
            return []
        subjects = await self._vault.hold_by_id(connection, {row["subject_id"] for row in rows})
        return [_open(row, subjects) for row in rows]

    async def _read(
        self, connection: Connection, query: str, hashes: Collection[bytes], contact_ids: Collection[int]
    ) -> list[Known]:
        named = literals.array(hash_.hex() for hash_ in hashes)
        numbered = literals.array(map(str, contact_ids))
        return await self.of_rows(connection, await connection.fetch(_QUERIES[query], named, numbered))


def _open(row: asyncpg.Record, subjects: Mapping[int, Subject]) -> Known:
    email_hash: bytes = row["email_hash"].bytes
    subject = subjects.get(row["subject_id"])
    if subject is None:
        return Fenced(row["contact_id"], email_hash)
    opened = json.loads(subject.key.unseal(row["sealed"], _place(subject.subject_id, email_hash)))
    return Contact(
        row["contact_id"], email_hash, opened["email"], row["language"], subject, row["undeliverable_since"],
        row["last_own_contact_at"],
    )  # fmt: skip


def _seal(email: str, email_hash: bytes, subject: Subject) -> bytes:
    return subject.key.seal(json.dumps({"email": email}).encode(), _place(subject.subject_id, email_hash))


def _place(subject_id: int, email_hash: bytes) -> bytes:
    return sealing.place("contacts", "sealed", subject_id, email_hash.hex())
