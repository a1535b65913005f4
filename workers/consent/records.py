"""Consent records and their history: read, locked and written."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from workers.db import literals, sql
from workers.domain.consent import Record, Status
from workers.engine.database import Connection
from workers.vault import sealing
from workers.vault.subjects import Subject

_QUERIES = sql.queries("consents")
_EVENT_COLUMNS = (
    "record_id", "event_type", "event_state", "event_time", "recorded_at", "entity", "collection_method",
    "privacy_notice", "language", "evidence",
)  # fmt: skip


class ConsentRecord(NamedTuple):
    """One address's consent for one purpose, as it stands."""

    record_id: UUID
    contact_id: int
    purpose: str
    record: Record


class ConsentEvent(NamedTuple):
    """An entry of a record's history. `evidence` is None where it was not given or cannot be opened any more."""

    record_id: UUID
    event_type: str
    event_state: str
    event_time: datetime
    recorded_at: datetime
    entity: str
    collection_method: str
    privacy_notice: str
    language: str
    evidence: Mapping[str, Any] | None
    purpose: str = ""


async def lock(connection: Connection, contact_ids: Collection[int]) -> list[ConsentRecord]:
    """All records of these contacts, locked until the commit; waits for mails that are being sent under them."""
    rows = await connection.fetch(_QUERIES["lock"], literals.array(map(str, contact_ids)))
    return [_record(row) for row in rows]


async def of_contact(connection: Connection, contact_id: int) -> list[ConsentRecord]:
    """All records of a contact."""
    return [_record(row) for row in await connection.fetch(_QUERIES["of_contact"], contact_id)]


async def store(connection: Connection, records: Sequence[ConsentRecord]) -> None:
    """Write records as they stand now."""
    columns = [list(column) for column in zip(*(_row(one) for one in records), strict=True)]
    await connection.execute(_QUERIES["store"], *columns)


async def add_events(connection: Connection, events: Iterable[tuple[ConsentEvent, Subject | None]]) -> None:
    """Append to the history. Evidence is sealed for its subject; where there is none any more it is left out."""
    rows = [(*event[:9], _seal(event, subject)) for event, subject in events]
    await connection.copy_records_to_table("consent_events", records=rows, columns=_EVENT_COLUMNS)


async def history(connection: Connection, contact_id: int, subject: Subject) -> list[ConsentEvent]:
    """All that ever happened to a contact's records, in order, with the evidence opened."""
    rows = await connection.fetch(_QUERIES["history"], contact_id)
    return [
        ConsentEvent(
            row["record_id"], row["event_type"], row["event_state"], row["event_time"], row["recorded_at"],
            row["entity"], row["collection_method"], row["privacy_notice"], row["language"],
            _unseal(row["evidence"], row["record_id"], subject), row["purpose"],
        )
        for row in rows
    ]  # fmt: skip


async def touch(connection: Connection, contact_id: int, expires_at: datetime) -> None:
    """All valid consents of a contact last at least until then."""
    await connection.execute(_QUERIES["touch"], contact_id, expires_at)


async def unanswered(connection: Connection, contact_ids: Collection[int], before: datetime) -> list[UUID]:
    """The records of these contacts that were asked for before then, and never were anything but asked for."""
    rows = await connection.fetch(_QUERIES["unanswered_records"], before, literals.array(map(str, contact_ids)))
    return [row["record_id"] for row in rows]


async def ids_of(connection: Connection, contact_ids: Collection[int]) -> list[UUID]:
    """The numbers of all records of these contacts."""
    rows = await connection.fetch(_QUERIES["records_of"], literals.array(map(str, contact_ids)))
    return [row["record_id"] for row in rows]


async def erase(connection: Connection, record_ids: Sequence[UUID]) -> None:
    """Delete records and their histories."""
    await connection.execute(_QUERIES["erase_events"], list(record_ids))
    await connection.execute(_QUERIES["erase_records"], list(record_ids))


def _record(row: asyncpg.Record) -> ConsentRecord:
    record = Record(
        Status(row["status"]), row["privacy_notice"], row["changed_at"], row["expires_at"],
        row["renewal_requested_at"],
    )  # fmt: skip
    return ConsentRecord(row["record_id"], row["contact_id"], row["purpose"], record)


def _row(one: ConsentRecord) -> tuple[object, ...]:
    return (one.record_id, one.contact_id, one.purpose, *one.record)


def _seal(event: ConsentEvent, subject: Subject | None) -> bytes | None:
    if subject is None or not event.evidence:
        return None
    plaintext = json.dumps(dict(event.evidence), ensure_ascii=False).encode()
    return subject.key.seal(plaintext, _place(subject, event.record_id))


def _unseal(sealed: bytes | None, record_id: UUID, subject: Subject) -> dict[str, Any] | None:
    if sealed is None:
        return None
    opened: dict[str, Any] = json.loads(subject.key.unseal(sealed, _place(subject, record_id)))
    return opened


def _place(subject: Subject, record_id: UUID) -> bytes:
    return sealing.place("consent_events", "evidence", subject.subject_id, str(record_id))
