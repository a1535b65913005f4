"""The starter: lets issues begin when they are due, puts their recipients into the ledger, closes them."""

import asyncpg
import mode

from workers.clock import Clock, monotonic_s
from workers.engine import database
from workers.engine.exit import Exit
from workers.issues import book
from workers.issues.rendering import in_language
from workers.log import logger
from workers.mail.mime import Content
from workers.metrics import Metrics

_LOG = logger(__name__)
_POLL_S = 0.5
_COUNT_EVERY_S = 10.0
_CONTENTS = 16


class IssueStarter(mode.Service):
    """`sending` are the issues whose mails may leave now; `content` is what they say. Several may run at once."""

    def __init__(self, pool: asyncpg.Pool, metrics: Metrics, clock: Clock, exit_: Exit) -> None:
        super().__init__()
        self._pool = pool
        self._metrics = metrics
        self._clock = clock
        self._exit = exit_
        self._contents: dict[int, dict[str, Content]] = {}
        self._sending: list[int] = []
        self._counted_s: float | None = None

    def sending(self) -> list[int]:
        """Numbers of issues, the earliest first."""
        return self._sending

    def content(self, issue_id: int, language: str) -> Content:
        """The issue in a person's language. Only for issues that are being sent."""
        return in_language(self._contents[issue_id], language)

    async def advance(self) -> bool:
        """One step; returns whether more is to be prepared."""
        now = self._clock()
        await book.start_due(self._pool, now)
        await book.finish(self._pool, now)
        rows = await book.sending(self._pool)
        for row in rows:
            if row["issue_id"] not in self._contents:
                self._contents[row["issue_id"]] = await book.content(self._pool, row["issue_id"])
        self._sending = [row["issue_id"] for row in rows]
        for past in [known for known in self._contents if known not in self._sending][:-_CONTENTS]:
            del self._contents[past]  # not at once: some mails of it may still be in hand
        more = False
        for row in rows:
            if not row["prepared"]:
                async with self._pool.acquire() as connection:
                    more = await book.prepare_slice(connection, row["issue_id"], now) or more
        return more

    async def count(self) -> None:
        """Tell the metrics how far issues are: all together, as their names are too many for labels."""
        states, waiting = await book.counts(self._pool)
        self._metrics.issues.clear()
        for state, issues in states.items():
            self._metrics.issues.labels(state).set(issues)
        self._metrics.issue_mails_waiting.set(waiting)
        self._counted_s = monotonic_s()

    @mode.Service.task
    async def _start(self) -> None:
        await self._exit.guard(self._start_until_stopped())

    async def _start_until_stopped(self) -> None:
        while not self.should_stop:
            more = False
            try:
                more = await self.advance()
                if self._counted_s is None or monotonic_s() - self._counted_s > _COUNT_EVERY_S:
                    await self.count()
            except database.RETRIED_ERRORS as error:
                _LOG.warning("issues_retried", error=type(error).__name__)
            if not more:
                await self.sleep(_POLL_S)
