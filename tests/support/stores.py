"""Tasks, people and a runner for the tests of stores: a real PostgreSQL, no Kafka."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from schemas import registry
from schemas.store import Action, StoreReceipt, StoreResult, StoreTask, TaskSubject
from tests.support.engine import Engine, engine
from workers.engine import outbox, relay
from workers.engine.exit import Exit
from workers.mail.desk import MailDesk
from workers.settings import Settings
from workers.stores import directory, jwe
from workers.stores.connectors import Surroundings
from workers.stores.directory import Store
from workers.stores.human import PersonDesk
from workers.stores.jobs import Jobs
from workers.stores.runner import Runner

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
BACKUPS_KEPT_DAYS = 30
AROUND = Surroundings(Settings())
"""What connectors get that need nothing of a running worker."""


class Customer(NamedTuple):
    """Somebody whose data stands in a store."""

    email: str
    customer_ref: str
    order_ids: tuple[str, ...]

    @property
    def identifiers(self) -> Mapping[str, Sequence[str]]:
        """What Lethe knows them by."""
        return {"email": [self.email], "customer_ref": [self.customer_ref], "order_id": self.order_ids}


def customers(count: int, start: int = 0) -> list[Customer]:
    """Invented people, each with two orders. Some names are beginnings of others: c-1, c-10."""
    return [
        Customer(f"Person{n}@example.org", f"c-{n}", (f"{n}01", f"{n}02")) for n in range(start + 1, start + count + 1)
    ]


def store(kind: str, options: Mapping[str, object], **head: Any) -> Store:
    """A store as its file would describe it, with a key of its own."""
    made = Store.model_validate(
        {
            "name": kind,
            "title": f"A store of kind {kind}",
            "kind": kind,
            "identifiers": ["email", "customer_ref", "order_id"],
            "backups_kept_days": BACKUPS_KEPT_DAYS,
            "options": options,
            **head,
        }
    )
    return made.model_copy(update={"key": jwe.generate()})


def task(
    at: Store, action: Action, people: Sequence[Customer], now: datetime | None = None, respond_in_s: float = 3600
) -> StoreTask:
    """A task as the eraser gives it out."""
    issued = now or datetime.now(UTC)
    sealing = directory.Sealing(at)
    return StoreTask(
        task_id=uuid4(), store=at.name, action=action, issued_at=issued,
        respond_by=issued + timedelta(seconds=respond_in_s),
        subjects=tuple(
            TaskSubject(subject_ref=uuid4(), identifiers=sealing.seal(one.identifiers)) for one in people
        ),
    )  # fmt: skip


class Desk:
    """Gives tasks to a runner and reads its receipts from the outbox."""

    def __init__(self, world: Engine, stores: Sequence[Store]) -> None:
        self.world = world
        self.now: datetime | None = None
        self.jobs = Jobs(world.ring, world.settings, "test")
        named = {store.name: store for store in stores}
        self.runner = Runner(
            named,
            Surroundings(world.settings),
            self.jobs,
            PersonDesk(named, self.jobs, world.ring, world.vault, MailDesk(), world.settings),
            world.pool,
            world.settings,
            world.metrics,
            self.clock,
            Exit(),
        )

    def clock(self) -> datetime:
        """The real time, unless a test has set one."""
        return self.now or datetime.now(UTC)

    async def give(self, *tasks: StoreTask) -> None:
        """Tasks have arrived."""
        async with self.world.pool.acquire() as connection, connection.transaction():
            await self.jobs.add(connection, tasks, self.clock())

    async def receipts(self) -> dict[UUID, StoreReceipt]:
        """Every receipt, by its task."""
        lane = relay.shard_lane(self.world.settings, 0)
        stored: list[outbox.Stored] = []
        async with self.world.pool.acquire() as connection, connection.transaction():
            while more := await outbox.read(
                connection, self.world.vault, lane, stored[-1].next_position if stored else 0, 2**62
            ):
                stored += more
        spec = registry.EVENTS["store.receipt", 1]
        found = {}
        for row in stored:
            for one in row.publications:
                assert one.value is not None
                receipt = registry.decode_data(spec, one.value)
                assert isinstance(receipt, StoreReceipt)
                found[receipt.task_id] = receipt
        return found

    async def ask(self, at: Store, action: Action, people: Sequence[Customer]) -> list[StoreResult]:
        """Have one task carried out; its results in the order of the people."""
        given = task(at, action, people, self.clock())
        await self.give(given)
        assert await self.runner.run_next(at)
        receipt = (await self.receipts()).get(given.task_id)
        if receipt is None:
            reason = await self.world.pool.fetchval("select reason from store_jobs where task_id = $1", given.task_id)
            raise AssertionError(f"no receipt: {reason}")
        assert [one.subject_ref for one in receipt.results] == [one.subject_ref for one in given.subjects]
        return list(receipt.results)


@asynccontextmanager
async def desk(database: str, folder: Path, *stores: Store, **chosen: Any) -> AsyncIterator[Desk]:
    """A runner for these stores on a prepared database."""
    async with engine(database, folder, store_retry_initial_s=0.01, store_retry_max_s=0.02, **chosen) as world:
        made = Desk(world, stores)
        try:
            yield made
        finally:
            await made.runner.on_stop()
