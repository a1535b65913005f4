"""The ledger of mails as the sender sees it: what is due, what may go, what became of it."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg

from workers.db import sql
from workers.engine.database import Connection

_QUERIES = sql.queries("mails")


class Claimed(NamedTuple):
    """One mail that this sender has in hand. `sealed` None: the address is in the contact's row."""

    mail_id: int
    issue_id: int | None
    contact_id: int | None
    subject_id: int
    template: str
    language: str
    class_: str
    purpose: str | None
    sealed: bytes | None
    attempts: int


class Result(NamedTuple):
    """What became of one mail: its new state, and when it is due again if it is."""

    mail_id: int
    state: str
    code: int | None = None
    reason: str | None = None
    next_attempt_at: datetime | None = None


class Ledger:
    """One sender's hand in the ledger; `name` is its own, so that a late one notices that it was given up."""

    def __init__(self, pool: asyncpg.Pool, name: str, claim_s: float) -> None:
        self._pool = pool
        self._name = name
        self._claim = timedelta(seconds=claim_s)

    async def claim(self, limit: int, now: datetime) -> list[Claimed]:
        """Mails of their own that are due."""
        rows = await self._pool.fetch(_QUERIES["claim"], self._name, limit, now, self._claim)
        return [Claimed(*row) for row in rows]

    async def claim_of_issue(self, issue_id: int, after: int, limit: int, now: datetime) -> list[Claimed]:
        """Mails of an issue that are due, with numbers over `after`, in order."""
        rows = await self._pool.fetch(_QUERIES["claim_of_issue"], self._name, limit, now, self._claim, issue_id, after)
        return sorted(Claimed(*row) for row in rows)

    async def addresses(self, mail_ids: Sequence[int]) -> dict[int, tuple[bytes, bytes]]:
        """The hash and the sealed address of each mail that has no letter of its own."""
        rows = await self._pool.fetch(_QUERIES["addresses"], mail_ids)
        return {row["mail_id"]: (row["email_hash"].bytes, row["address"]) for row in rows}

    async def sendable(
        self, connection: Connection, mail_ids: Sequence[int], subjects: Collection[int], now: datetime
    ) -> set[int]:
        """Which of them may be sent now: consent holds, the subject is not being erased.

        It stays true until the connection's transaction ends: who wants to end a consent waits so long.
        """
        await connection.execute(_QUERIES["lock_consents"], mail_ids)
        rows = await connection.fetch(_QUERIES["sendable"], mail_ids, list(subjects), now)
        return {row["mail_id"] for row in rows}

    async def mark_unknown(self, mail_ids: Sequence[int], now: datetime) -> set[int]:
        """Commit that their DATA may begin; returns those that are still this sender's."""
        rows = await self._pool.fetch(_QUERIES["mark_unknown"], mail_ids, self._name, now)
        return {row["mail_id"] for row in rows}

    async def finish(self, results: Sequence[Result], now: datetime) -> None:
        """Write down what became of them."""
        if results:
            columns = [list(column) for column in zip(*results, strict=True)]
            await self._pool.execute(_QUERIES["finish"], self._name, *columns, now)

    async def recover(self, now: datetime) -> int:
        """Take back what a dead sender had in hand; returns how many mails are due again."""
        return len(await self._pool.fetch(_QUERIES["recover"], now))
