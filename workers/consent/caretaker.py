"""The caretaker: consents expire in time and are renewed before, unanswered requests are forgotten."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import asyncpg
import mode

from workers.clock import Clock
from workers.consent.desk import ConsentDesk
from workers.db import sql
from workers.domain.consent import ConsentChange, Entity, Kind
from workers.engine import repeat
from workers.engine.exit import Exit
from workers.log import logger
from workers.metrics import Metrics
from workers.settings import Settings

_CONSENTS = sql.queries("consents")
_SUPPRESSIONS = sql.queries("suppressions")
_TOKENS = sql.queries("tokens")
_FLOODS = sql.queries("floods")
_LOG = logger(__name__)
_INTERVAL_S = 60.0
_SLICE = 500
RENEWAL_BEFORE: Final = timedelta(days=60)
TOKEN_KEPT: Final = timedelta(days=30)
_FLOODS_KEPT: Final = timedelta(days=14)


class ConsentCaretaker(mode.Service):
    """Runs in the worker `newsletter`; several may at once: each step looks again under the lock."""

    def __init__(
        self,
        desk: ConsentDesk,
        pool: asyncpg.Pool,
        settings: Settings,
        metrics: Metrics,
        clock: Clock,
        exit_: Exit,
    ) -> None:
        super().__init__()
        self._desk = desk
        self._pool = pool
        self._unanswered_after = timedelta(hours=settings.confirm_hours)
        self._metrics = metrics
        self._clock = clock
        self._exit = exit_

    async def run(self) -> None:
        """All that is due now, in slices of one transaction each."""
        now = self._clock()
        await self._change("expired", now, Kind.EXPIRED)
        await self._change("to_renew", now + RENEWAL_BEFORE, Kind.RENEWAL_REQUESTED)
        await self._forget_unanswered()
        await self._pool.execute(_TOKENS["forget_before"], now - TOKEN_KEPT)
        await self._pool.execute(_FLOODS["forget_before"], now - _FLOODS_KEPT)
        await self._count()

    async def _change(self, query: str, due: object, kind: Kind) -> None:
        after = 0
        while rows := await self._pool.fetch(_CONSENTS[query], due, after, _SLICE):
            after = rows[-1]["contact_id"]
            now = self._clock()
            changes = [
                ConsentChange(kind, row["purpose"], Entity.LETHE, "timer", now, contact_id=row["contact_id"])
                for row in rows
            ]
            async with self._pool.acquire() as connection, connection.transaction():
                await self._desk.apply(connection, self._declared(changes), now)

    def _declared(self, changes: Sequence[ConsentChange]) -> list[ConsentChange]:
        return [change for change in changes if change.purpose in self._desk.purposes]

    async def _forget_unanswered(self) -> None:
        before = self._clock() - self._unanswered_after
        after = 0
        while rows := await self._pool.fetch(_CONSENTS["unanswered"], before, after, _SLICE):
            after = rows[-1]["contact_id"]
            async with self._pool.acquire() as connection, connection.transaction():
                forgotten = await self._desk.forget_unanswered(connection, [row["contact_id"] for row in rows], before)
            _LOG.info("unanswered_requests_forgotten", count=forgotten)

    async def _count(self) -> None:
        consents, suppressions = self._metrics.consents, self._metrics.suppressions
        consents.clear()
        for row in await self._pool.fetch(_CONSENTS["count_by_status"]):
            consents.labels(row["purpose"], row["status"]).set(row["consents"])
        suppressions.clear()
        for row in await self._pool.fetch(_SUPPRESSIONS["count_by_reason"]):
            suppressions.labels(row["purpose"], row["reason"]).set(row["addresses"])

    @mode.Service.task
    async def _run(self) -> None:
        await self._exit.guard(repeat.until_stopped(self, self.run, _INTERVAL_S))
