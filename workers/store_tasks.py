"""The stores agent.

consumes  `store-tasks`: store.task, from the worker `requests`
decides   whether the task is Lethe's to carry out: the store has a file here, and is not an external system
emits     nothing itself; the runner (`workers.stores.runner`) answers on `store-receipts`
keeps     one sealed job per task until it is answered
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

from schemas.store import StoreTask
from workers.engine.admission import Event
from workers.engine.database import Connection
from workers.engine.outbox import Message
from workers.errors import RefusalCode, Refused
from workers.stores.directory import Store
from workers.stores.jobs import Jobs
from workers.vault.subjects import Subject

NAME = "stores"
TOPIC = "store-tasks"


class StoreTasksUnit:
    """One attempt to apply a batch of tasks (engine.unit.UnitOfWork)."""

    def __init__(self, stores: Mapping[str, Store], jobs: Jobs) -> None:
        self._stores = stores
        self._jobs = jobs
        self._new: list[StoreTask] = []

    async def load(self, connection: Connection, events: Sequence[tuple[Event, Subject]]) -> None:
        """Nothing: a task that waits already is recognised when it is stored."""

    def handle(self, event: Event, subject: Subject) -> list[Message]:
        """Take one task in. Raises Refused with nothing changed."""
        task = cast(StoreTask, event.data)  # admission lets only events of the topic through
        if event.record.key != task.store.encode():
            raise Refused(RefusalCode.KEY_INVALID, "the record's key is not the store in its body", "key")
        store = self._stores.get(task.store)
        if store is None:
            raise Refused(
                RefusalCode.UNKNOWN_STORE,
                "no file in LETHE_STORES_DIR describes this store: add it, start the worker again, replay the task",
                "store",
            )
        if store.kind != "external":
            self._new.append(task)
        return []

    async def store(self, connection: Connection, now: datetime) -> None:
        """Write the jobs; they are due with the commit."""
        if self._new:
            await self._jobs.add(connection, self._new, now)
