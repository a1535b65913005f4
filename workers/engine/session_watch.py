"""Ends database sessions of workers that hang in the middle of a statement, with locks in their hands.

A worker that is paused inside a COPY, or between preparing a statement and running it, is not idle for PostgreSQL, and
while the server waits for its client to say more none of its time-outs is looked at (ProcessClientReadInterrupt in
src/backend/tcop/postgres.c). Its successor would wait for its locks for ever. Such a session is ended by whichever
worker sees it first, after the time in which an idle one ends.
"""

from datetime import timedelta

import asyncpg
import mode

from workers.db import sql
from workers.engine import repeat
from workers.engine.exit import Exit
from workers.log import logger
from workers.settings import Settings

_LOCKS = sql.queries("locks")
_LOG = logger(__name__)


class SessionWatch(mode.Service):
    """One per process. Commands are left alone: an import may well send one COPY for long."""

    def __init__(self, pool: asyncpg.Pool, settings: Settings, exit_: Exit) -> None:
        super().__init__()
        self._pool = pool
        self._patience = timedelta(seconds=settings.session_timeout_s)
        self._exit = exit_

    async def look(self) -> int:
        """End those that hang now; returns how many."""
        ended = await self._pool.fetch(_LOCKS["end_hanging"], self._patience)
        for row in ended:
            _LOG.warning("hanging_session_ended", since=row["state_change"].isoformat())
        return len(ended)

    @mode.Service.task
    async def _watch(self) -> None:
        pause_s = self._patience.total_seconds() / 2
        await self._exit.guard(repeat.until_stopped(self, self.look, pause_s))
