"""Dead letters for the people who look after them: list, open, mark for replay, drop.

A replay itself is done by the worker (`replay`); here letters are only marked for it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

from workers.db import sql
from workers.engine import parking
from workers.engine.database import Connection
from workers.engine.records import Record
from workers.errors import LetheError, UsageError
from workers.vault.keyring import Keyring

State = Literal["parked", "replaying", "replayed", "dropped", "expired"]
Ground = Literal["technical-error", "fraud", "security", "law", "legal-claim"]
"""Why a member of staff may be shown a refused event: what the privacy policy names as justified, and nothing else."""


_QUERIES = sql.queries("dead_letters")
_SHORTEST_PREFIX = 4


class DeadLetter(NamedTuple):
    """What may be shown of a dead letter: no payload. `record_offset` and the like are where it was read from."""

    dead_letter_id: UUID
    consumer_group: str
    topic: str
    partition: int
    record_offset: int
    code: str
    reason: str
    field: str | None
    event_type: str | None
    state: State
    seen_count: int
    replay_count: int
    body_kept: bool
    parked_at: datetime
    changed_at: datetime

    def expires_at(self, max_age_s: float) -> datetime | None:
        """When its sealed copy is deleted if nobody looks after it; None once it was dealt with."""
        return self.parked_at + timedelta(seconds=max_age_s) if self.state in ("parked", "replaying") else None


class Count(NamedTuple):
    """How many letters of a group are in a state, by code; `seen` counts repeated publications too."""

    consumer_group: str
    code: str
    state: State
    letters: int
    seen: int


async def find_all(
    connection: Connection, code: str | None, state: State | None, group: str | None, limit: int
) -> list[DeadLetter]:
    """Letters with this code, state and consumer group (None: any), oldest first."""
    rows = await connection.fetch(_QUERIES["list"], code, state, group, limit)
    return [DeadLetter(**row) for row in rows]


async def counts(connection: Connection) -> list[Count]:
    """All letters, counted."""
    return [Count(**row) for row in await connection.fetch(_QUERIES["count_by_code"])]


async def find(connection: Connection, named: str) -> DeadLetter:
    """The letter with this id, or with the one id that begins like this. Raises UsageError."""
    prefix = named.strip().lower()
    if len(prefix) < _SHORTEST_PREFIX or not set(prefix) <= set("0123456789abcdef-"):
        raise UsageError("give a dead letter's id, or the beginning of it as `lethe dlq ls` shows it")
    rows = await connection.fetch(_QUERIES["find_by_prefix"], prefix)
    if not rows:
        raise UsageError(f"no dead letter's id begins with {prefix}: see `lethe dlq ls --state any`")
    if len(rows) > 1:
        raise UsageError(f"more than one dead letter's id begins with {prefix}: give more of it")
    return DeadLetter(**rows[0])


async def disclose_body(
    connection: Connection, keyring: Keyring, letter: DeadLetter, recipient: str, ground: Ground, now: datetime
) -> Record:
    """The refused record as it came, personal data and all, once it stands in the ledger that `recipient` was shown it.

    Raises LetheError when no copy was kept, KeyMissing or Unreadable when its key is gone; nothing is written then.
    """
    async with connection.transaction():
        row = await connection.fetchrow(_QUERIES["find"], letter.dead_letter_id)
        if row is None or row["sealed"] is None:
            raise LetheError(
                "there is no copy of this event any more: card data is never kept, and an event that was replayed, "
                "dropped or has expired is let go"
            )
        packed = parking.open_letter(
            keyring, letter.dead_letter_id, row["wrapped_key"], row["key_epoch"], row["sealed"]
        )
        record = parking.unpack(packed, letter.topic, letter.partition, letter.record_offset)
        await connection.execute(_QUERIES["record_disclosure"], letter.dead_letter_id, recipient, ground, now)
    return record


async def request_replay(connection: Connection, ids: Sequence[UUID], now: datetime) -> set[UUID]:
    """Mark letters for replay; returns those that were: parked ones whose body was kept."""
    rows = await connection.fetch(_QUERIES["request_replay"], list(ids), now)
    return {row["dead_letter_id"] for row in rows}


async def drop(connection: Connection, ids: Sequence[UUID], now: datetime) -> set[UUID]:
    """Let go of the sealed copies for good; returns the letters that were dropped. Their metadata stays."""
    rows = await connection.fetch(_QUERIES["drop"], list(ids), now)
    return {row["dead_letter_id"] for row in rows}


async def read(connection: Connection, ids: Sequence[UUID]) -> list[DeadLetter]:
    """How these letters stand now."""
    return [DeadLetter(**row) for row in await connection.fetch(_QUERIES["read"], list(ids))]
