"""The eraser: works through requests in rounds, many at a time; one process does so, others wait to take over.

    begin       verified requests: consents end, subjects are fenced                         (beginning)
    erase       once nothing applied before can come out: carriers told, rows deleted        (erasing)
    ask         tasks to the stores, verification after erasure                              (fanout)
    prove       inbound topics trimmed, carriers' compacted, the key epoch destroyed         (proving)
    certify     certificate, answer to the person, end of the request's own key              (certifying)

Each step is a transaction that is safe to repeat; killed anywhere, the next one goes on from what was committed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any

import asyncpg
import mode
from aiokafka.errors import KafkaError

from workers.clock import Clock
from workers.db import sql
from workers.engine import crashpoints, database
from workers.engine.database import Connection
from workers.engine.exit import Exit
from workers.erasure import fanout
from workers.erasure.beginning import Beginning
from workers.erasure.certifying import Certifying
from workers.erasure.erasing import Erasing, Grace
from workers.erasure.fanout import FanOut
from workers.erasure.proving import Proving
from workers.errors import Retry
from workers.log import logger
from workers.metrics import Metrics
from workers.settings import Settings
from workers.stores.directory import Store
from workers.vault import epochs

_QUERIES = sql.queries("erasure")
_REQUESTS = sql.queries("requests")
_LOCKS = sql.queries("locks")
_LOG = logger(__name__)
_FAILURES = (*database.RETRIED_ERRORS, KafkaError, Retry)


class Eraser(mode.Service):
    """Runs in the worker `requests`."""

    def __init__(
        self, pool: asyncpg.Pool, beginning: Beginning, erasing: Erasing, fan_out: FanOut, certifying: Certifying,
        proving: Proving, stores: Mapping[str, Store], settings: Settings, metrics: Metrics, clock: Clock, exit_: Exit,
    ) -> None:  # fmt: skip
        super().__init__()
        self._pool = pool
        self._beginning = beginning
        self._erasing = erasing
        self._fan_out = fan_out
        self._certifying = certifying
        self._proving = proving
        self._stores = stores
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._exit = exit_
        self._grace = Grace(pool)

    async def step(self) -> int:
        """Take every request as far as it can go now; returns how much was done, 0 where there is nothing to do."""
        done = await self._in_transaction(self._beginning.release, "erasure.released")
        epoch = (await epochs.listed(self._pool))[-1].number

        async def begin(connection: Connection, now: datetime) -> int:
            return await self._beginning.begin(connection, epoch, now)

        fresh = await self._in_transaction(begin, "erasure.fenced") + await self._erase_rounds()
        done += fresh
        done += await self._ask_stores()
        done += await self._proving.prove(is_quiet=not fresh)
        done += await self._in_transaction(self._certifying.certify, "erasure.certified")

        async def forget(connection: Connection, now: datetime) -> int:
            return await self._certifying.forget(connection)

        done += await self._in_transaction(forget, "erasure.forgotten")
        await self._count()
        return done

    async def _erase_rounds(self) -> int:
        done = 0
        for round_ in await self._pool.fetch(_QUERIES["rounds"], "fenced"):
            round_id = round_["round_id"]
            if not await self._grace.is_over(round_id):
                break  # one after the other: a later round may have people in common with this one
            crashpoints.reach("erasure.graced")
            ends = await self._proving.ends()
            epoch = (await epochs.listed(self._pool))[-1].number

            async def erase(
                connection: Connection, now: datetime, round_id: int = round_id, ends: Mapping[str, int] = ends,
                epoch: int = epoch,
            ) -> int:  # fmt: skip
                return await self._erasing.erase(connection, round_id, epoch, ends, now)

            done += await self._in_transaction(erase, "erasure.erased")
            _LOG.info("erasure_round_erased", round_id=round_id)
        return done

    async def _ask_stores(self) -> int:
        done = 0
        waiting = await fanout.stores_waiting(self._pool)
        for name in waiting:
            store = self._stores.get(name)
            if store is not None and store.enabled:

                async def send(connection: Connection, now: datetime, store: Store = store) -> int:
                    return await self._fan_out.send(connection, store, now)

                done += await self._in_transaction(send, "erasure.asked")
        if set(waiting) - self._stores.keys():

            async def give_up(connection: Connection, now: datetime) -> int:
                await self._fan_out.give_up_unknown(connection, waiting)
                return 1

            done += await self._in_transaction(give_up)
        return done

    async def _count(self) -> None:
        now = self._clock()
        self._metrics.requests_open.clear()
        for row in await self._pool.fetch(_REQUESTS["count_open"]):
            self._metrics.requests_open.labels(row["state"]).set(row["requests"])
            self._metrics.request_days_left.labels(row["state"]).set((row["first_due"] - now).days)
            self._metrics.request_oldest_seconds.labels(row["state"]).set((now - row["oldest"]).total_seconds())

    async def _in_transaction(
        self, work: Callable[[Connection, datetime], Awaitable[int]], done_label: crashpoints.Label | None = None
    ) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            done = await work(connection, self._clock())
        if done and done_label is not None:
            crashpoints.reach(done_label)
        return done

    async def _until_stopped(self) -> None:
        while not self.should_stop:
            try:
                await self._while_locked()
            except _FAILURES as error:
                _LOG.warning("erasure_retried", error=type(error).__name__)
            finally:
                await self._proving.stop()
            await self.sleep(self._settings.retry_initial_s)

    async def _while_locked(self) -> None:
        """Hold the eraser's lock on a connection of its own; another process waits here until it is free."""
        name = f"{self._settings.prefix}lethe.eraser"
        async with self._pool.acquire() as lock:
            while not await lock.fetchval(_LOCKS["try_lock"], name):
                if self.should_stop:
                    return
                await asyncio.sleep(self._settings.relay_poll_s)
            await lock.fetchval(_LOCKS["expire_when_idle"], str(int(self._settings.session_timeout_s * 1000)))
            kept = asyncio.create_task(self._keep(lock))
            try:
                await self._proving.start()
                while not self.should_stop:
                    if not await _unless_ended(self.step(), kept):
                        await self.sleep(self._settings.erasure_poll_s)
            finally:
                kept.cancel()
                await asyncio.wait((kept,))
                await lock.fetchval(_LOCKS["unlock"], name)

    async def _keep(self, lock: Connection) -> None:
        """Keep the lock while a step takes longer than its session may be idle; ends when it was lost."""
        while True:
            await lock.fetchval(_LOCKS["still_alive"])
            await asyncio.sleep(self._settings.session_timeout_s / 4)

    @mode.Service.task
    async def _run(self) -> None:
        await self._exit.guard(self._until_stopped())


async def _unless_ended(work: Coroutine[Any, Any, int], condition: asyncio.Task[None]) -> int:
    """The work's result; where the condition ends first the work is cut off, and what ended the condition is raised."""
    working = asyncio.create_task(work)
    try:
        await asyncio.wait((working, condition), return_when=asyncio.FIRST_COMPLETED)
        if condition.done():
            condition.result()
        return working.result()
    finally:
        working.cancel()
        await asyncio.wait((working,))
