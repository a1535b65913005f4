"""Subscribers and mails straight into the tables, many at once."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import orjson

from workers.vault import sealing
from workers.vault.keyring import Keyring
from workers.vault.subjects import SubjectVault

PURPOSE = "newsletter"
_CONTACTS = ("email_hash", "subject_id", "sealed", "language", "last_own_contact_at", "created_at")


async def subscribe(
    connection: asyncpg.Connection, keyring: Keyring, emails: Sequence[str], language: str = "en"
) -> dict[str, int]:
    """Contacts with a valid consent for PURPOSE; the number of each."""
    now, vault = datetime.now(UTC), SubjectVault(keyring)
    hashes = {email: keyring.lookup_hash("email", email.encode()) for email in emails}
    async with connection.transaction():
        subjects = await vault.hold(connection, list(hashes.values()))
        rows = []
        for email, hash_ in hashes.items():
            subject = subjects[hash_]
            place = sealing.place("contacts", "sealed", subject.subject_id, hash_.hex())
            sealed = subject.key.seal(orjson.dumps({"email": email}), place)
            rows.append((uuid.UUID(bytes=hash_), subject.subject_id, sealed, language, now, now))
        await connection.copy_records_to_table("contacts", records=rows, columns=_CONTACTS)
        numbers = {
            row["email_hash"].bytes: row["contact_id"]
            for row in await connection.fetch("select contact_id, email_hash from contacts")
        }
        contacts = {email: numbers[hash_] for email, hash_ in hashes.items()}
        await connection.copy_records_to_table(
            "consents",
            records=[
                (uuid.uuid4(), contact_id, PURPOSE, "ConsentGiven", "2026-01", now, now + timedelta(days=1000))
                for contact_id in contacts.values()
            ],
            columns=("record_id", "contact_id", "purpose", "status", "privacy_notice", "changed_at", "expires_at"),
        )
    return contacts


async def withdraw(connection: asyncpg.Connection, contact_id: int) -> None:
    """The person says no: the row is updated, as every way to end a consent does."""
    await connection.execute(
        "update consents set status = 'ConsentWithdrawn', changed_at = now() where contact_id = $1", contact_id
    )


async def agree(connection: asyncpg.Connection, contact_id: int) -> None:
    """The person says yes again."""
    await connection.execute(
        "update consents set status = 'ConsentGiven', changed_at = now() where contact_id = $1", contact_id
    )
