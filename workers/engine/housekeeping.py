"""Housekeeping: what is kept for a time only is forgotten in time, and what waits for a person is counted."""

from datetime import datetime, timedelta

import asyncpg
import mode

from workers.clock import Clock
from workers.db import sql
from workers.engine import repeat
from workers.engine.exit import Exit
from workers.log import logger
from workers.metrics import Metrics
from workers.settings import Settings

_EVENTS = sql.queries("events")
_LETTERS = sql.queries("dead_letters")
_LOG = logger(__name__)
_INTERVAL_S = 60.0


class Housekeeper(mode.Service):
    """Looks after the tables of one consumer group; several workers may do so at once."""

    def __init__(
        self, consumer_group: str, pool: asyncpg.Pool, settings: Settings, metrics: Metrics, clock: Clock, exit_: Exit
    ) -> None:
        super().__init__()
        self._group = consumer_group
        self._pool = pool
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._exit = exit_

    async def tidy(self) -> None:
        """Forget the dedupe keys that no replay can need any more; let dead letters go that nobody looked after in
        time, and count those that wait."""
        now = self._clock()
        await self._pool.execute(_EVENTS["forget_before"], now - timedelta(days=self._settings.dedupe_retention_days))
        await self._expire_letters(now)
        parked = {
            row["code"]: row["letters"]
            for row in await self._pool.fetch(_LETTERS["count_by_code"])
            if row["state"] == "parked" and row["consumer_group"] == self._group
        }
        for code in self._shown() - parked.keys():  # not `clear`: other groups of this process are counted there too
            self._metrics.dead_letters.remove(self._group, code)
        for code, letters in parked.items():
            self._metrics.dead_letters.labels(self._group, code).set(letters)

    def _shown(self) -> set[str]:
        """The codes that the gauge has of this group."""
        samples = [sample for metric in self._metrics.dead_letters.collect() for sample in metric.samples]
        return {sample.labels["code"] for sample in samples if sample.labels["group"] == self._group}

    async def _expire_letters(self, now: datetime) -> None:
        oldest = now - timedelta(seconds=self._settings.dead_letter_max_age_s)
        for row in await self._pool.fetch(_LETTERS["expire"], self._group, oldest, now):
            self._metrics.dead_letters_expired.labels(self._group, row["code"]).inc(row["letters"])
            _LOG.warning("dead_letters_expired", group=self._group, code=row["code"], count=row["letters"])

    @mode.Service.task
    async def _tidy(self) -> None:
        await self._exit.guard(repeat.until_stopped(self, self.tidy, _INTERVAL_S))
