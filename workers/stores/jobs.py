"""Jobs: tasks that a store has not answered yet, kept sealed, claimed with a lease, ended together with the receipt."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg

from schemas import registry
from schemas.store import StoreReceipt, StoreResult, StoreTask
from workers.db import sql
from workers.engine import crashpoints, relay
from workers.engine.database import Connection
from workers.engine.outbox import Message
from workers.settings import Settings
from workers.vault import epochs, sealing
from workers.vault.keyring import Keyring

_QUERIES = sql.queries("store_jobs")
_SHARD = 0
RECEIPTS = "store-receipts"


class Job(NamedTuple):
    """A claimed task; `attempts` counts this one too."""

    store_job_id: int
    attempts: int
    task: StoreTask


class Expired(NamedTuple):
    """A task that nobody answered in time; `reason` is what kept it last, if it was tried."""

    job: Job
    reason: str | None


class Jobs:
    """The table `store_jobs` in one worker's hands."""

    def __init__(self, keyring: Keyring, settings: Settings, worker: str) -> None:
        self._keyring = keyring
        self._settings = settings
        self._worker = worker
        self._lease = timedelta(seconds=settings.store_lease_s)

    async def add(self, connection: Connection, tasks: Sequence[StoreTask], now: datetime) -> None:
        """Keep tasks until they are answered; one that waits already stays as it is."""
        epoch = await epochs.hold(connection, self._keyring)
        sealed = [self._seal(task, epoch) for task in tasks]
        await connection.execute(
            _QUERIES["add"],
            [task.task_id for task in tasks], [task.store for task in tasks], [task.action for task in tasks],
            [len(task.subjects) for task in tasks], [task.respond_by for task in tasks],
            [wrapped for wrapped, _ in sealed], [body for _, body in sealed], epoch, now,
        )  # fmt: skip

    async def claim(self, connection: asyncpg.Pool, store: str, now: datetime) -> Job | None:
        """The store's next task that is due, leased; None where there is none, or the circuit is open."""
        row = await connection.fetchrow(_QUERIES["claim"], store, self._worker, now, self._lease)
        return self._job(row) if row else None

    async def extend(self, connection: asyncpg.Pool, job: Job, now: datetime) -> bool:
        """Keep the lease for longer; False where another worker holds the job now."""
        return (
            await connection.fetchval(_QUERIES["extend"], job.store_job_id, self._worker, now, self._lease) is not None
        )

    async def finish(
        self, connection: Connection, job: Job, results: Sequence[StoreResult], now: datetime
    ) -> bool:  # fmt: skip
        """End the job and answer, in the caller's transaction; False where another worker holds it now."""
        if await connection.fetchval(_QUERIES["finish"], job.store_job_id, self._worker) is None:
            return False
        await connection.execute(_QUERIES["answered"], job.task.store, now)
        await self.answer(connection, job, results, now)
        return True

    async def answer(self, connection: Connection, job: Job, results: Sequence[StoreResult], now: datetime) -> None:
        """Put the receipt into the outbox, in the caller's transaction that ends the job."""
        task = job.task
        receipt = StoreReceipt(
            task_id=task.task_id, store=task.store, action=task.action, results=tuple(results), answered_at=now
        )
        message = Message(
            None, self._settings.topic(RECEIPTS), task.store, "store.receipt", f"{task.task_id}.{job.store_job_id}",
            registry.encode(receipt),
        )  # fmt: skip
        await relay.add(connection, self._settings, _SHARD, now, [message])
        crashpoints.reach("stores.before_receipt")

    async def put_off(self, connection: Connection, job: Job, until: datetime, reason: str) -> None:
        """Give the job back, to be tried again."""
        await connection.execute(_QUERIES["put_off"], job.store_job_id, self._worker, until, reason)

    async def ask(self, connection: Connection, job: Job, token_hash: UUID, now: datetime) -> bool:
        """A person has it now; False where another worker holds it."""
        return await connection.fetchval(_QUERIES["ask"], job.store_job_id, self._worker, now, token_hash) is not None

    async def asked(self, connection: Connection, token_hash: UUID, now: datetime) -> Job | None:
        """The open job that a person's link belongs to, locked until the transaction ends."""
        row = await connection.fetchrow(_QUERIES["asked"], token_hash, now)
        return self._job(row) if row else None

    async def expired(self, connection: Connection, now: datetime, limit: int) -> list[Expired]:
        """Tasks whose time is over, locked until the transaction ends."""
        rows = await connection.fetch(_QUERIES["expired"], now, limit)
        return [Expired(self._job(row), row["reason"]) for row in rows]

    async def drop(self, connection: Connection, jobs: Sequence[Job]) -> None:
        """End jobs that `expired` or `asked` returned."""
        await connection.execute(_QUERIES["drop"], [job.store_job_id for job in jobs])

    def _seal(self, task: StoreTask, epoch: int) -> tuple[bytes, bytes]:
        wrapped, key = sealing.new_wrapped_key(self._keyring.kek(epoch), _owner(task.task_id, epoch))
        return wrapped, key.seal(registry.encode(task), _place(task.task_id))

    def _job(self, row: asyncpg.Record) -> Job:
        owner = _owner(row["task_id"], row["key_epoch"])
        key = sealing.unwrap_key(self._keyring.kek(row["key_epoch"]), row["wrapped_key"], owner)
        body = key.unseal(row["sealed"], _place(row["task_id"]))
        return Job(row["store_job_id"], row["attempts"], StoreTask.model_validate_json(body))


def _owner(task_id: UUID, epoch: int) -> bytes:
    return sealing.place("store_jobs", "wrapped_key", str(task_id), str(epoch))


def _place(task_id: UUID) -> bytes:
    return sealing.place("store_jobs", "sealed", "-", str(task_id))
