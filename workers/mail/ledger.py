"""The ledger of mails as the sender sees it: what is due, what may go, what became of it."""

import itertools
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg

from workers.db import sql
from workers.engine.database import Connection

_QUERIES = sql.queries("mails")
_KEPT_FAILED = timedelta(days=30)


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
    hand: str


class Result(NamedTuple):
    """What became of one mail: its new state, and when it is due again if it is.

    `tried` is False where the mail was never offered to the mail server: that costs it no attempt.
    """

    mail_id: int
    state: str
    code: int | None = None
    reason: str | None = None
    next_attempt_at: datetime | None = None
    tried: bool = True


class Verdict(NamedTuple):
    """Mails by what may be done: sent now; looked at again soon; never sent, with the reason."""

    sendable: frozenset[int]
    busy: frozenset[int]
    ended: dict[int, str]


class Ledger:
    """One sender's view of the ledger.

    Each claim is a hand of its own, named for the sender and the claim: what comes late from an earlier hand, a
    repeated `finish` for example, changes nothing in a later one.
    """

    def __init__(self, pool: asyncpg.Pool, name: str, claim_s: float) -> None:
        self._pool = pool
        self._name = name
        self._claim = timedelta(seconds=claim_s)
        self._hands = itertools.count(1)

    async def claim(self, limit: int, now: datetime) -> list[Claimed]:
        """Mails of their own that are due, all in one hand."""
        rows = await self._pool.fetch(_QUERIES["claim"], self._new_hand(), limit, now, self._claim)
        return [Claimed(*row) for row in rows]

    async def claim_of_issue(self, issue_id: int, after: int, limit: int, now: datetime) -> list[Claimed]:
        """Mails of an issue that are due, with numbers over `after`, in order, all in one hand."""
        rows = await self._pool.fetch(
            _QUERIES["claim_of_issue"], self._new_hand(), limit, now, self._claim, issue_id, after
        )
        return sorted(Claimed(*row) for row in rows)

    async def addresses(self, mail_ids: Sequence[int]) -> dict[int, tuple[bytes, bytes]]:
        """The hash and the sealed address of each mail that has no letter of its own."""
        if not mail_ids:
            return {}
        rows = await self._pool.fetch(_QUERIES["addresses"], mail_ids)
        return {row["mail_id"]: (row["email_hash"].bytes, row["address"]) for row in rows}

    async def bound_holding(self, connection: Connection, lock_wait_s: float, lasts_s: float) -> None:
        """Until the transaction ends, waiting longer for somebody else's lock is an error, and so is lasting longer."""
        await connection.execute(_QUERIES["bound_holding"], f"{lock_wait_s * 1000:.0f}", f"{lasts_s * 1000:.0f}")

    async def judge(
        self, connection: Connection, mail_ids: Sequence[int], subjects: Collection[int], now: datetime
    ) -> Verdict:
        """Which of them may be sent now: consent holds, the subject is not being erased, the issue is being sent.

        It stays true until the connection's transaction ends: who wants to end a consent, or to pause or cancel an
        issue, waits so long.
        """
        await connection.execute(_QUERIES["hold_issues"], mail_ids)
        locked = await connection.fetch(_QUERIES["lock_consents"], mail_ids)
        held = [row["mail_id"] for row in locked]
        sendable, busy, ended = set[int](), set[int](), dict[int, str]()
        for row in await connection.fetch(_QUERIES["judge"], mail_ids, list(subjects), now, held):
            if not row["subject_lives"]:
                ended[row["mail_id"]] = "subject_erased"
            elif not row["permitted"]:
                ended[row["mail_id"]] = "consent_ended"
            elif row["issue_state"] == "cancelled":
                ended[row["mail_id"]] = "issue_cancelled"
            else:
                may_go = row["held"] and row["issue_state"] in (None, "sending")
                (sendable if may_go else busy).add(row["mail_id"])
        return Verdict(frozenset(sendable), frozenset(busy), ended)

    async def mark_unknown(self, hand: str, mail_ids: Sequence[int], now: datetime) -> set[int]:
        """Commit that their DATA may begin; returns those that are still in this hand."""
        rows = await self._pool.fetch(_QUERIES["mark_unknown"], mail_ids, hand, now)
        return {row["mail_id"] for row in rows}

    async def finish(self, hand: str, results: Sequence[Result], now: datetime) -> None:
        """Write down what became of them. Doing it twice is doing it once."""
        if results:
            columns = [list(column) for column in zip(*results, strict=True)]
            await self._pool.execute(_QUERIES["finish"], hand, *columns, now)

    async def recover(self, now: datetime) -> int:
        """Take back what a dead sender had in hand; returns how many mails are due again.

        Also lets go of the letters of mails that failed and that nobody wanted sent again for long.
        """
        await self._pool.execute(_QUERIES["forget_failed"], now - _KEPT_FAILED)
        return len(await self._pool.fetch(_QUERIES["recover"], now))

    def _new_hand(self) -> str:
        return f"{self._name}.{next(self._hands)}"
