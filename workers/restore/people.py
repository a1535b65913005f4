"""Persons that a backup brought back: deleted again, and consents ended that their no forbids."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from workers.consent.desk import ConsentDesk
from workers.db import sql
from workers.domain.consent import ConsentChange, Entity, Kind, SuppressionReason
from workers.engine.database import Connection
from workers.vault.wrapped_tables import TABLES

_QUERIES = sql.queries("restore")
_ERASURE = sql.queries("erasure")
_BATCH = 500


async def erase(connection: Connection, desk: ConsentDesk, subject_ids: Sequence[int], now: datetime) -> None:
    """Delete all that is kept of these subjects, data keys included, in the caller's transaction. Opens nothing."""
    if not subject_ids:
        return
    await connection.execute(_ERASURE["fence"], subject_ids, now)
    references = [row["reference_hash"] for row in await connection.fetch(_ERASURE["references_of"], subject_ids)]
    addresses = [row["email_hash"] for row in await connection.fetch(_QUERIES["contact_hashes"], subject_ids)]
    await connection.execute(_QUERIES["forget_request_keys"], subject_ids)
    for name in ("erase_shipments", "erase_disclosures", "erase_mails"):
        await connection.execute(_ERASURE[name], subject_ids)
    for name in ("erase_dead_letters", "erase_staff_disclosures"):
        await connection.execute(_ERASURE[name], references)
    await connection.execute(_ERASURE["erase_inbox"], addresses)
    await desk.erase_subjects(connection, subject_ids)
    await connection.execute(_ERASURE["erase_subjects"], subject_ids)


async def erase_unreadable(pool: asyncpg.Pool, desk: ConsentDesk, destroyed: Sequence[int], now: datetime) -> int:
    """Delete persons, dead letters and mails that only destroyed epochs could open; returns how many persons.

    They were gone when the epoch was destroyed: else their keys would be among the survivors.
    """
    count = 0
    while True:
        async with pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_QUERIES["unreadable_subjects"], destroyed, _BATCH)
            await erase(connection, desk, [row["subject_id"] for row in rows], now)
            await connection.execute(_QUERIES["drop_unreadable_letters"], destroyed, now)
            await connection.execute(_QUERIES["drop_unreadable_mails"], destroyed, now)
            for table in TABLES:
                if table.name != "subjects":
                    await connection.execute(table.query(_QUERIES["drop_unreadable"]), destroyed)
        count += len(rows)
        if not rows:
            return count


async def end_consents(pool: asyncpg.Pool, desk: ConsentDesk, now: datetime) -> int:
    """End every consent in force that a suppression forbids; returns how many."""
    count, reached = 0, 0
    while True:
        async with pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_QUERIES["valid_consents"], reached, _BATCH)
            if not rows:
                return count
            first, last = rows[0]["contact_id"], rows[-1]["contact_id"]
            reached = last - 1 if first < last else last  # the last contact's consents may go on in the next slice
            count += await _end_some(connection, desk, [(row["contact_id"], row["purpose"]) for row in rows], now)


async def _end_some(connection: Connection, desk: ConsentDesk, valid: Sequence[tuple[int, str]], now: datetime) -> int:
    contacts = await desk.contacts_by_id(connection, {contact_id for contact_id, _ in valid})
    forbidden = await desk.forbidden(
        connection, [(contacts[number].email, purpose) for number, purpose in valid if number in contacts]
    )
    changes = [
        ConsentChange(_kind(no.reason), purpose, Entity.LETHE, "restored_backup", no.since, contact_id=number)
        for number, purpose in valid
        if number in contacts and (no := forbidden.get((contacts[number].email, purpose)))
    ]
    await desk.apply(connection, changes, now)
    return len(changes)


def _kind(reason: SuppressionReason) -> Kind:
    """What ends one purpose alone: an objection would end those that the person has agreed to since."""
    return Kind.HARD_BOUNCE if reason is SuppressionReason.HARD_BOUNCE else Kind.WITHDRAWN
