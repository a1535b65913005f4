"""The receipts agent.

consumes  `store-receipts`: store.receipt, from the stores downstream
decides   what each answer means for the requests that wait for it (`workers.domain.store_progress`)
emits     nothing; the eraser sends what is to be asked next
keeps     where each store stands with each request
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

import asyncpg
import orjson

from schemas.store import StoreReceipt, StoreResult
from workers.clock import Clock
from workers.db import sql
from workers.domain import store_progress
from workers.domain.store_progress import Next, StoreState
from workers.engine.admission import Event
from workers.engine.database import Connection
from workers.engine.outbox import Message
from workers.errors import RefusalCode, Refused
from workers.proof.facts import MAX_COUNT, without_personal_data
from workers.vault.subjects import Subject

NAME = "receipts"
TOPIC = "store-receipts"

_QUERIES = sql.queries("erasure")


class _Answered(NamedTuple):
    next: Next
    result: StoreResult
    attempts: int


class ReceiptsUnit:
    """One attempt to apply a batch of receipts (engine.unit.UnitOfWork)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[UUID, asyncpg.Record] = {}
        self._answers: dict[UUID, _Answered] = {}

    async def load(self, connection: Connection, events: Sequence[tuple[Event, Subject]]) -> None:
        """Read where these stores stand, locked until the commit."""
        refs = sorted({result.subject_ref for event, _ in events for result in _receipt(event).results})
        self._rows = {row["subject_ref"]: row for row in await connection.fetch(_QUERIES["lock_stores"], refs)}

    def handle(self, event: Event, subject: Subject) -> list[Message]:
        """Take one receipt in. An answer to a question that was asked again since changes nothing."""
        receipt = _receipt(event)
        if event.record.key != receipt.store.encode():
            raise Refused(RefusalCode.KEY_INVALID, "the record's key is not the store in its body", "key")
        _refuse_if_unusable(receipt)
        for result in receipt.results:
            row = self._rows.get(result.subject_ref)
            if row is None or row["store"] != receipt.store or row["task_id"] != receipt.task_id:
                continue
            if result.subject_ref in self._answers:
                continue  # the first answer to a task counts
            state = StoreState(row["state"])
            outcome = result.outcome if receipt.action == "erase" else _meant(result)
            reason = result.reason and str(without_personal_data(result.reason))
            after = store_progress.after(state, row["attempts"], receipt.action, outcome, reason)
            if after is not None:
                self._answers[result.subject_ref] = _Answered(after, result, row["attempts"])
        return []

    async def store(self, connection: Connection, now: datetime) -> None:
        """Write where each store stands now."""
        if not self._answers:
            return
        rows = [
            (
                ref, str(one.next.state), now + one.next.delay, one.next.reason, _counts(one),
                _kept(one.result), _backups(one.result), one.attempts,
            )
            for ref, one in sorted(self._answers.items())
        ]  # fmt: skip
        columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)]
        await connection.execute(_QUERIES["store_progress"], *columns, now)


def _receipt(event: Event) -> StoreReceipt:
    return cast(StoreReceipt, event.data)  # admission lets only events of the topic through


def _refuse_if_unusable(receipt: StoreReceipt) -> None:
    """Raises Refused: the store is asked again. What no certificate could say must not come as far as that."""
    refs = [result.subject_ref for result in receipt.results]
    if len(set(refs)) != len(refs):
        raise Refused(RefusalCode.INVALID_FIELD, "a receipt says one thing of each person, not two", "results")
    if any(count > MAX_COUNT for result in receipt.results for count in result.counts.values()):
        raise Refused(RefusalCode.INVALID_FIELD, f"a count is {MAX_COUNT} at most", "results.counts")


def _meant(result: StoreResult) -> str:
    return store_progress.meant(result.outcome, sum(result.counts.values()), len(result.kept))


def _counts(one: _Answered) -> str | None:
    """What an erasure did; what a look counted is not that."""
    was_erasure = one.next.state is StoreState.TO_VERIFY and one.result.outcome in ("erased", "kept")
    return orjson.dumps(one.result.counts).decode() if was_erasure and one.result.counts else None


def _kept(result: StoreResult) -> str | None:
    kept = [
        {**one.model_dump(mode="json"), "ground": without_personal_data(one.ground)} for one in result.kept
    ]  # fmt: skip
    return orjson.dumps(kept).decode() if kept else None


def _backups(result: StoreResult) -> date | None:
    return result.backups_expire_at
