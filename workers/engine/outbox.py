"""The outbox: what a committed batch still owes to Kafka, sealed.

A batch's records for one lane are one row. A value is sealed under its subject's data key, so a row of a
shredded subject can no longer be published by anyone; records about nobody (`subject` None) hold no personal data
and are kept as they are.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg
import msgpack

from schemas import attributes
from workers.db import literals, sql
from workers.engine.database import Connection
from workers.vault import sealing
from workers.vault.subjects import Subject, SubjectVault

_QUERIES = sql.queries("outbox")
_NOBODY = "0"
_READ_ROWS = 20
_SPEC_VERSION = ("ce_specversion", b"1.0")
_SOURCE = ("ce_source", b"lethe")
_CONTENT_TYPE = ("content-type", attributes.JSON_CONTENT_TYPE)


class Message(NamedTuple):
    """One record to publish. `value` None is a tombstone; `reason` then says why."""

    subject: Subject | None
    topic: str
    key: str
    event_type: str
    event_id: str
    value: bytes | None
    reason: str | None = None


class Publication(NamedTuple):
    """A record as it goes to Kafka."""

    topic: str
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Stored(NamedTuple):
    """An outbox row, opened: the publications of one batch in their order."""

    position: int
    next_position: int
    publications: list[Publication]


def publications(messages: Sequence[Message], occurred_at: datetime) -> list[Publication]:
    """The messages as CloudEvents in Kafka's binary mode."""
    time = occurred_at.isoformat().encode()
    return [
        Publication(topic, key.encode(), value, _headers(event_type, event_id, key, time, reason))
        for _, topic, key, event_type, event_id, value, reason in messages
    ]


async def add_behind(
    connection: Connection,
    lane: str,
    position: int,
    next_position: int,
    occurred_at: datetime,
    messages: Sequence[Message],
    ahead: str,
) -> list[Message]:
    """As `add`, but for the messages about people of whom something waits in the lane `ahead`: those are returned.

    They belong behind that. To be called once what the messages are about is locked, as the writers of `ahead` do.
    """
    row = _row(lane, position, next_position, occurred_at, messages)
    waiting = set(await connection.fetchval(_QUERIES["add_behind"], *row, ahead) or ()) - {int(_NOBODY)}
    if not waiting:
        return []
    behind = [one for one in messages if one.subject is not None and one.subject.subject_id in waiting]
    if behind:
        await connection.execute(_QUERIES["take_back"], lane, position)
        sooner = [one for one in messages if one not in behind]
        if sooner:
            await add(connection, lane, position, next_position, occurred_at, sooner)
    return behind


async def waits_elsewhere(connection: Connection, lane: str, messages: Sequence[Message]) -> bool:
    """Whether something about the same people waits in another lane than this one."""
    numbers = {str(one.subject.subject_id) for one in messages if one.subject is not None}
    found: bool = bool(numbers) and await connection.fetchval(
        _QUERIES["waits_in_other_lanes"], lane, literals.array(numbers)
    )
    return found


async def add(
    connection: Connection,
    lane: str,
    position: int,
    next_position: int,
    occurred_at: datetime,
    messages: Sequence[Message],
) -> None:
    """Store a batch's messages, sealed, in the caller's transaction."""
    await connection.execute(_QUERIES["add"], *_row(lane, position, next_position, occurred_at, messages))


async def read(
    connection: Connection, vault: SubjectVault, lane: str, position: int, end_position: int
) -> list[Stored]:
    """The next rows of a lane, `position` to `end_position` (not included), opened.

    Records of fenced or shredded subjects are left out, but for tombstones: those say nothing about anybody, and
    without them an address would stay with a carrier that it was to be taken back from. The subjects stay locked
    against a fence until the caller's transaction ends: publish before that.
    """
    rows = await connection.fetch(_QUERIES["read"], lane, position, end_position, _READ_ROWS)
    wanted = {subject_id for row in rows for subject_id in row["subject_ids"]} - {int(_NOBODY)}
    subjects = await vault.hold_by_id(connection, wanted)
    return [Stored(row["position"], row["next_position"], _opened(row, subjects)) for row in rows]


def _row(
    lane: str, position: int, next_position: int, occurred_at: datetime, messages: Sequence[Message]
) -> tuple[object, ...]:
    records = [
        (topic, key, event_type, event_id, reason, _seal(subject, event_id, value))
        for subject, topic, key, event_type, event_id, value, reason in messages
    ]
    subjects = literals.array([str(message.subject.subject_id) if message.subject else _NOBODY for message in messages])
    return lane, position, next_position, occurred_at, subjects, msgpack.packb(records)


def _opened(row: asyncpg.Record, subjects: Mapping[int, Subject]) -> list[Publication]:
    time = row["occurred_at"].isoformat().encode()
    records = zip(row["subject_ids"], msgpack.unpackb(row["records"]), strict=True)
    return [
        Publication(
            topic,
            key.encode(),
            _unseal(subjects.get(subject_id), event_id, value),
            _headers(event_type, event_id, key, time, reason),
        )
        for subject_id, (topic, key, event_type, event_id, reason, value) in records
        if subject_id == int(_NOBODY) or subject_id in subjects or value is None
    ]


async def delete_before(connection: Connection | asyncpg.Pool, lane: str, position: int) -> None:
    """Delete what was published: every row of the lane below `position`."""
    await connection.execute(_QUERIES["delete_before"], lane, position)


def _headers(event_type: str, event_id: str, key: str, time: bytes, reason: str | None) -> list[tuple[str, bytes]]:
    """CloudEvents attributes in Kafka's binary mode; a tombstone says what it withdraws, and why."""
    headers = [
        _SPEC_VERSION,
        _SOURCE,
        ("ce_id", event_id.encode()),
        ("ce_type", event_type.encode()),
        ("ce_time", time),
    ]
    if reason is None:
        headers.append(_CONTENT_TYPE)
    else:
        headers += [("ce_subject", key.encode()), ("ce_reason", reason.encode())]
    return headers


def _place(subject: Subject, event_id: str) -> bytes:
    return sealing.place("outbox", "sealed", subject.subject_id, event_id)


def _seal(subject: Subject | None, event_id: str, value: bytes | None) -> bytes | None:
    if value is None or subject is None:
        return value
    return subject.key.seal(value, _place(subject, event_id))


def _unseal(subject: Subject | None, event_id: str, sealed: bytes | None) -> bytes | None:
    if sealed is None or subject is None:
        return sealed
    return subject.key.unseal(sealed, _place(subject, event_id))
