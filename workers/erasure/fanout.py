"""The fan-out: tasks to the stores, many people in each; asked again where no answer came in time."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import asyncpg

from schemas import registry
from schemas.store import StoreTask, TaskSubject
from workers.db import sql
from workers.engine import crashpoints, relay
from workers.engine.database import Connection
from workers.engine.outbox import Message
from workers.erasure import identities
from workers.settings import Settings
from workers.stores import directory
from workers.stores.directory import Store
from workers.vault.subjects import SubjectVault

_QUERIES = sql.queries("erasure")
_SHARD = 0
_CHUNK = 1000
_ACTIONS = {"to_erase": "erase", "erasing": "erase", "to_verify": "verify", "verifying": "verify"}
NOT_CONFIGURED = "the store is no longer configured: nobody asked it"
NOTHING_TO_FIND_BY = "the request says nothing that this store finds people by"


class FanOut:
    """Sends what is due."""

    def __init__(self, vault: SubjectVault, stores: Mapping[str, Store], settings: Settings) -> None:
        self._vault = vault
        self._stores = stores
        self._settings = settings

    async def send(self, connection: Connection, store: Store, now: datetime) -> int:
        """Ask one store what is due now, in the caller's transaction; returns about how many people."""
        rows = await connection.fetch(_QUERIES["due_stores"], store.name, now, _CHUNK)
        if not rows:
            return 0
        keys = await self._vault.hold_by_id(connection, {row["key_subject_id"] for row in rows})
        sealing = directory.Sealing(store)
        by_action: dict[str, list[TaskSubject]] = {}
        unnamed = []
        for row in rows:
            known = identities.unseal(row["sealed"], keys[row["key_subject_id"]], row["request_id"])
            named = known.for_stores()
            if not any(named.get(name) for name in store.identifiers):
                unnamed.append(row["subject_ref"])  # it would find nothing, and truly say so
                continue
            one = TaskSubject(subject_ref=row["subject_ref"], identifiers=sealing.seal(named))
            by_action.setdefault(_ACTIONS[row["state"]], []).append(one)
        if unnamed:
            await connection.execute(_QUERIES["cannot_be_asked"], unnamed, NOTHING_TO_FIND_BY)
        messages = []
        respond_by = now + timedelta(seconds=store.respond_within_s)
        for action, subjects in by_action.items():
            for part in directory.split(store, subjects):
                task = _task(store, action, part, now, respond_by)
                refs = [one.subject_ref for one in part]
                await connection.execute(_QUERIES["asked"], refs, respond_by, task.task_id)
                messages.append(self._message(task))
        await relay.add(connection, self._settings, _SHARD, now, messages)
        crashpoints.reach("erasure.before_ask_commit")
        return len(rows)

    async def give_up_unknown(self, connection: Connection, waiting: Sequence[str]) -> None:
        """Stores that were asked and have no file any more: said so, instead of waiting for ever."""
        for name in waiting:
            if name not in self._stores:
                await connection.execute(_QUERIES["give_up_store"], name, NOT_CONFIGURED)

    def _message(self, task: StoreTask) -> Message:
        topic = self._settings.topic("store-tasks")
        return Message(None, topic, task.store, "store.task", str(task.task_id), registry.encode(task))


def _task(
    store: Store, action: str, part: Sequence[TaskSubject], now: datetime, respond_by: datetime
) -> StoreTask:  # fmt: skip
    return StoreTask.model_validate(
        {
            "task_id": uuid.uuid4(), "store": store.name, "action": action, "subjects": tuple(part), "issued_at": now,
            "respond_by": respond_by,
        }
    )  # fmt: skip


async def stores_waiting(connection: asyncpg.Pool) -> list[str]:
    """The names of stores that something waits for."""
    return [row["store"] for row in await connection.fetch(_QUERIES["stores_waiting"])]
