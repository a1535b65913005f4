"""The relay: publishes what is born in PostgreSQL (replays, timers, staff), exactly once.

One relay per shard holds an advisory lock and a fixed transactional id; records and the relay's position commit in
one Kafka transaction. Positions are handed out under a row lock that lasts to the commit of the writer, so position
order is commit order: the relay never passes a row that is not visible yet.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import asyncpg
import mode
from aiokafka import TopicPartition

from workers.clock import monotonic_s
from workers.db import sql
from workers.engine import crashpoints, database, outbox, publisher, retry
from workers.engine.database import Connection
from workers.engine.exit import Exit
from workers.engine.outbox import Message
from workers.errors import PositionUnknown
from workers.log import logger
from workers.metrics import Metrics
from workers.settings import Settings
from workers.vault.subjects import SubjectVault

_QUERIES = sql.queries("outbox")
_LOCKS = sql.queries("locks")
_LOG = logger(__name__)
_FAILURES = publisher.KAFKA_ERRORS + database.RETRIED_ERRORS
POSITIONS_TOPIC = "relay.positions"
_SAY_AGAIN_S = 24 * 3600.0
"""Kafka forgets an offset that nobody commits for a week (offsets.retention.minutes); the restore fence needs it."""


def shard_lane(settings: Settings, shard: int) -> str:
    """The outbox lane of a shard; also its transactional id."""
    return f"{settings.group('relay')}/{shard}"


async def add(
    connection: Connection, settings: Settings, shard: int, now: datetime, messages: Sequence[Message]
) -> None:
    """Put messages into a shard's outbox, in the caller's transaction, which should end soon after."""
    if messages:
        next_position = await connection.fetchval(_QUERIES["next_relay_positions"], shard, 1)
        lane = shard_lane(settings, shard)
        await outbox.add(connection, lane, next_position - 1, next_position, now, messages)


class Relay(mode.Service):
    """Publishes one shard."""

    def __init__(
        self,
        shard: int,
        pool: asyncpg.Pool,
        vault: SubjectVault,
        settings: Settings,
        metrics: Metrics,
        exit_: Exit,
    ) -> None:
        super().__init__()
        self._shard = shard
        self._lane = shard_lane(settings, shard)
        self._group = settings.group("relay")
        self._pool = pool
        self._vault = vault
        self._settings = settings
        self._metrics = metrics
        self._exit = exit_
        source = TopicPartition(settings.topic(POSITIONS_TOPIC), shard)
        self._publisher = publisher.Publisher(self._lane, self._group, source, settings)

    @mode.Service.task
    async def _relay(self) -> None:
        await self._exit.guard(self._relay_until_stopped())

    async def _relay_until_stopped(self) -> None:
        async for _attempt in retry.attempts(self._settings):
            if self.should_stop:
                return
            try:
                await self._relay_while_locked()
            except _FAILURES as error:
                self._metrics.lane_resets.labels(self._group).inc()
                _LOG.warning("relay_reset", shard=self._shard, error=type(error).__name__)
            finally:
                await self._publisher.close()

    async def _relay_while_locked(self) -> None:
        """Hold the shard's lock on a connection of its own; another relay waits here until it is free."""
        async with self._pool.acquire() as lock:
            while not await lock.fetchval(_LOCKS["try_lock"], self._lane):
                if self.should_stop:
                    return
                await asyncio.sleep(self._settings.relay_poll_s)
            try:
                await lock.fetchval(_LOCKS["expire_when_idle"], str(int(self._settings.session_timeout_s * 1000)))
                await self._publish_until_stopped(lock, await self._open())
            finally:
                await lock.fetchval(_LOCKS["unlock"], self._lane)

    async def _publish_until_stopped(self, lock: Connection, position: int) -> None:
        said_s = monotonic_s()
        while not self.should_stop:
            await lock.fetchval(_LOCKS["still_alive"])
            reached = await self._publish_from(position)
            if reached != position:
                position, said_s = reached, monotonic_s()
            elif monotonic_s() - said_s > _SAY_AGAIN_S:
                await self._publisher.publish([], position)
                await self._publisher.commit()
                said_s = monotonic_s()
            else:
                await self.sleep(self._settings.relay_poll_s)

    async def _open(self) -> int:
        """Fence the predecessor; returns the position up to which everything was published."""
        published = await self._publisher.open()
        stored = await self._pool.fetchval(_QUERIES["relay_position"], self._shard) or 0
        if published is None:
            await self._publisher.publish([], 0)
            await self._publisher.commit()
            published = 0
        if published > stored:
            raise PositionUnknown(
                f"{self._lane}: Kafka says that {published} batches were published, the database knows {stored}: it "
                "was restored from an older backup; run `lethe restore`"
            )
        await outbox.delete_before(self._pool, self._lane, published)
        return published

    async def _publish_from(self, position: int) -> int:
        """Publish the next rows in one transaction, subjects locked against a fence; returns the new position."""
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await outbox.read(connection, self._vault, self._lane, position, 2**62)
            if not rows:
                return position
            reached = rows[-1].next_position
            await self._publisher.publish([record for row in rows for record in row.publications], reached)
            crashpoints.reach("relay.before_kafka_commit")
            await self._publisher.commit()
            crashpoints.reach("relay.after_kafka_commit")
            await outbox.delete_before(connection, self._lane, reached)
        for row in rows:
            for record in row.publications:
                self._metrics.published.labels(self._group, record.topic).inc()
        return reached
