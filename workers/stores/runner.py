"""The runner: one loop per store, so that a slow or broken one holds back nothing but its own receipts.

A task is claimed with a lease, carried out, and ended together with its receipt in one transaction. What a store does
not answer is tried again with a growing pause; after a few failures in a row its circuit opens and nobody asks it for a
while. A task that is not answered in time is answered for the store: `failed`.
"""

import asyncio
import random
from collections.abc import Mapping
from datetime import timedelta

import asyncpg
import mode

from schemas.store import StoreResult
from workers.clock import Clock
from workers.db import sql
from workers.engine import crashpoints, database
from workers.engine.exit import Exit
from workers.errors import Stop
from workers.log import logger
from workers.metrics import Metrics
from workers.settings import Settings
from workers.stores import connector as answers
from workers.stores import connectors, execution
from workers.stores.connector import Connector, Misconfigured, NeedsPerson, Unavailable
from workers.stores.directory import Store
from workers.stores.human import PersonDesk
from workers.stores.jobs import Job, Jobs

_QUERIES = sql.queries("store_jobs")
_LOG = logger(__name__)
_POLL_S = 0.25
_PAUSE_S = 2.0
_SWEEP_S = 5.0
_EXPIRED_AT_ONCE = 20
_FAILURES_BEFORE_OPEN = 3


class Runner(mode.Service):
    """Runs in the worker `stores`; several may: each task is in one hand while its lease lasts."""

    def __init__(
        self, stores: Mapping[str, Store], surroundings: connectors.Surroundings, jobs: Jobs, people: PersonDesk,
        pool: asyncpg.Pool, settings: Settings, metrics: Metrics, clock: Clock, exit_: Exit,
    ) -> None:  # fmt: skip
        super().__init__()
        self._stores = {store.name: store for store in stores.values() if store.kind != "external"}
        self._surroundings = surroundings
        self._jobs = jobs
        self._people = people
        self._pool = pool
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._exit = exit_
        self._connectors: dict[str, Connector] = {}

    async def on_started(self) -> None:
        """One task per store that is enabled, and one that answers for those that never do."""
        for store in self._stores.values():
            if store.enabled:
                self.add_future(self._exit.guard(self._serve(store)))
        self.add_future(self._exit.guard(self._sweep()))

    async def on_stop(self) -> None:
        """Let go of the stores."""
        for connector in self._connectors.values():
            await connector.close()

    async def run_next(self, store: Store) -> bool:
        """Carry out the store's next task that is due; False when there is none."""
        job = await self._jobs.claim(self._pool, store.name, self._clock())
        if job is None:
            return False
        crashpoints.reach("stores.claimed")
        renewal = asyncio.create_task(self._renew(job))
        try:
            results = await self._carry_out(store, job)
        except NeedsPerson as needs:
            async with self._pool.acquire() as connection, connection.transaction():
                await self._people.ask(connection, job, needs, self._clock())
        except (Unavailable, Misconfigured) as error:
            await self._put_off(job, str(error))
        except Stop:
            raise
        except Exception as error:  # a fault of one connector must not hold up the other stores
            _LOG.error("store_connector_failed", store=store.name, exc_info=error)
            await self._put_off(job, f"a fault in Lethe's connector ({type(error).__name__})")
        else:
            crashpoints.reach("stores.done")
            await self._finish(job, results)
        finally:
            renewal.cancel()
        return True

    async def _carry_out(self, store: Store, job: Job) -> list[StoreResult]:
        now = self._clock()
        try:
            async with asyncio.timeout((job.task.respond_by - now).total_seconds()):
                return await execution.carry_out(store, self._connector(store), job.task, now, job.attempts > 1)
        except TimeoutError:
            raise Unavailable("it was still at work when the time was over") from None

    async def answer_for_the_late(self) -> int:
        """A receipt for each task whose time is over: nobody may wait for a store that never answers."""
        now = self._clock()
        async with self._pool.acquire() as connection, connection.transaction():
            expired = await self._jobs.expired(connection, now, _EXPIRED_AT_ONCE)
            for job, reason in expired:
                why = self._why_late(job, reason)
                results = [answers.failed(subject.subject_ref, why) for subject in job.task.subjects]
                await self._jobs.answer(connection, job, results, now)
                self._count(job, results)
            await self._jobs.drop(connection, [one.job for one in expired])
        return len(expired)

    def _why_late(self, job: Job, reason: str | None) -> str:
        store = self._stores.get(job.task.store)
        if store is None or not store.enabled:
            return "the store is disabled"
        if reason is None:
            return "the store did not answer in time"
        return f"the store did not answer in time, tried {job.attempts} times: {reason}"

    def _connector(self, store: Store) -> Connector:
        if store.name not in self._connectors:
            self._connectors[store.name] = connectors.connect(store, self._surroundings)
        return self._connectors[store.name]

    async def _finish(self, job: Job, results: list[StoreResult]) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            finished = await self._jobs.finish(connection, job, results, self._clock())
        if not finished:
            _LOG.warning("store_task_taken_over", store=job.task.store, task_id=str(job.task.task_id))
            return
        crashpoints.reach("stores.answered")
        self._metrics.store_circuit_open.labels(job.task.store).set(0)
        self._count(job, results)

    def _count(self, job: Job, results: list[StoreResult]) -> None:
        for result in results:
            self._metrics.store_results.labels(job.task.store, job.task.action, result.outcome).inc()

    async def _put_off(self, job: Job, reason: str) -> None:
        """Try the task again later; open the store's circuit when it fails over and over."""
        store, now = job.task.store, self._clock()
        pause = timedelta(seconds=self._pause_s(job.attempts))
        _LOG.warning("store_task_put_off", store=store, task_id=str(job.task.task_id), why=reason)
        self._metrics.store_failures.labels(store).inc()
        async with self._pool.acquire() as connection, connection.transaction():
            failures = await connection.fetchval(_QUERIES["failed"], store, now, reason)
            if failures >= _FAILURES_BEFORE_OPEN:
                open_s = self._pause_s(failures - _FAILURES_BEFORE_OPEN + 1)
                await connection.execute(_QUERIES["open_circuit"], store, now + timedelta(seconds=open_s))
                self._metrics.store_circuit_open.labels(store).set(1)
            await self._jobs.put_off(connection, job, now + pause, reason)

    def _pause_s(self, attempts: int) -> float:
        """Doubled each time up to a limit, a random half of it taken off."""
        settings = self._settings
        longest = min(settings.store_retry_initial_s * 2.0 ** min(attempts - 1, 20), settings.store_retry_max_s)
        return longest * (0.5 + random.random() / 2)  # noqa: S311  (jitter, not a secret)

    async def _renew(self, job: Job) -> None:
        """Keep the lease while the store works; the one that lost it finds out when it finishes."""
        while True:
            await asyncio.sleep(self._settings.store_lease_s / 3)
            try:
                if not await self._jobs.extend(self._pool, job, self._clock()):
                    return
            except database.RETRIED_ERRORS as error:
                _LOG.warning("store_lease_not_renewed", error=type(error).__name__)

    async def _serve(self, store: Store) -> None:
        while not self.should_stop:
            try:
                while not self.should_stop and await self.run_next(store):
                    pass
                await self.sleep(_POLL_S)
            except database.RETRIED_ERRORS as error:
                _LOG.warning("store_loop_retried", store=store.name, error=type(error).__name__)
                await self.sleep(_PAUSE_S)

    async def _sweep(self) -> None:
        while not self.should_stop:
            try:
                while await self.answer_for_the_late():
                    pass
                for row in await self._pool.fetch(_QUERIES["list"]):
                    self._metrics.store_jobs.labels(row["store"]).set(row["waiting"])
            except database.RETRIED_ERRORS as error:
                _LOG.warning("store_sweep_retried", error=type(error).__name__)
            await self.sleep(_SWEEP_S)
