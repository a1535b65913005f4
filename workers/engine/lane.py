"""A lane: the way of one source partition from committed batches to Kafka.

PostgreSQL's position says what was applied, the group's committed offset what was published. Between the two lie
rows of the outbox. A lane publishes batches from memory as they commit; whenever it opens (a new owner, a failed or
unanswered publication) it first publishes the rows between the two. Every failure takes this one way back.
"""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Sequence

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from workers.clock import monotonic_s
from workers.db import sql
from workers.engine import crashpoints, database, outbox, publisher, retry
from workers.engine.batch import Owed, lane_name
from workers.errors import PositionBelowLog, PositionUnknown
from workers.log import logger
from workers.metrics import Metrics
from workers.settings import Settings
from workers.vault.subjects import SubjectVault

_POSITIONS = sql.queries("positions")
_OUTBOX = sql.queries("outbox")
_LOG = logger(__name__)
_FAILURES = publisher.KAFKA_ERRORS + database.RETRIED_ERRORS
_QUEUED_BATCHES = 4
_TIDY_INTERVAL_S = 1.0
_LEAVE_TIMEOUT_S = 3


class Lane:
    """One assigned partition.

    `next_offset` is what the intake reads next, None until the lane has opened once; `in_hand` holds the timestamps
    (ms) of the first records of batches that were read and not applied yet, oldest first.
    """

    def __init__(
        self,
        partition: TopicPartition,
        consumer_group: str,
        pool: asyncpg.Pool,
        vault: SubjectVault,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        self.partition = partition
        self.next_offset: int | None = None
        self.advanced_s = monotonic_s()
        self.closed = False
        self.paused = False
        self.in_hand: deque[int] = deque()
        self._group = consumer_group
        self._name = lane_name(consumer_group, partition)
        self._pool = pool
        self._vault = vault
        self._settings = settings
        self._metrics = metrics
        self._publisher = publisher.Publisher(self._name, consumer_group, partition, settings)
        self._queue: asyncio.Queue[Owed] = asyncio.Queue(_QUEUED_BATCHES)
        self._applied = 0
        self._published = 0
        self._unpublished = 0
        self._tidied_s = 0.0
        self._tidy_due = False

    @property
    def applied_offset(self) -> int:
        """The position that this worker has applied up to, as far as it knows."""
        return self._applied

    @property
    def readable(self) -> bool:
        """Whether the intake may read on: the lane has opened, and its partition is not being given up."""
        return self.next_offset is not None and not self.paused

    @property
    def busy(self) -> bool:
        """Whether something read from this partition is still on its way."""
        return bool(self.in_hand or self._unpublished)

    async def put(self, owed: Owed) -> None:
        """Queue a committed batch for publication; waits while the lane is behind."""
        self._applied, self.advanced_s = owed.next_offset, monotonic_s()
        self._unpublished += 1
        await self._queue.put(owed)

    async def run(self, consumer: AIOKafkaConsumer) -> None:
        """Open, publish what comes, and open again after a failure, until closed. Raises Stop."""
        try:
            while not self.closed:
                await self._open_persistently(consumer)
                try:
                    while not self.closed:
                        await self._publish_next()
                except _FAILURES as error:
                    self._metrics.lane_resets.labels(self._group).inc()
                    _LOG.warning("lane_reset", lane=self._name, error=type(error).__name__)
                    await self._publisher.close()
        finally:
            await self._leave_tidy()
            await self._publisher.close()

    async def _open_persistently(self, consumer: AIOKafkaConsumer) -> None:
        async for attempt in retry.attempts(self._settings):
            if self.closed:
                return
            try:
                await self._open(consumer)
                return
            except _FAILURES as error:
                _LOG.warning("lane_not_open", lane=self._name, attempt=attempt, error=type(error).__name__)
                await self._publisher.close()

    async def _open(self, consumer: AIOKafkaConsumer) -> None:
        published = await self._publisher.open()
        beginning = (await consumer.beginning_offsets([self.partition]))[self.partition]
        stored = await self._stored_position(beginning if published is None else published)
        if self.next_offset is None:
            await self._check_end(stored, consumer)
        if published is None:
            published = await self._publish_beginning(stored)
        self._check(published, stored, beginning)
        self._published = published
        await self._recover(stored)
        if self.next_offset is None:
            consumer.seek(self.partition, stored)
            self.next_offset = self._applied = stored
        self.advanced_s = monotonic_s()

    async def _stored_position(self, beginning: int) -> int:
        key = (self._group, self.partition.topic, self.partition.partition)
        await self._pool.execute(_POSITIONS["start"], *key, beginning)
        return int(await self._pool.fetchval(_POSITIONS["read"], *key))

    async def _publish_beginning(self, stored: int) -> int:
        """Nothing was ever published: say so in Kafka before the first batch, so that it is never in doubt later."""
        rows = await self._pool.fetchval(_OUTBOX["oldest_position"], self._name)
        position = stored if rows is None else min(stored, rows)
        if rows is not None and rows < stored:
            raise PositionUnknown(
                f"{self._name}: the group has no committed offset in Kafka, but batches wait in the outbox: whether "
                f"they were published is not known. If not, commit offset {rows} for the group, else {stored}"
            )
        await self._publisher.publish([], position)
        await self._publisher.commit()
        return position

    def _check(self, published: int, stored: int, beginning: int) -> None:
        if published > stored:
            raise PositionUnknown(
                f"{self._name}: Kafka says that everything before {published} was published, the database has applied "
                f"only up to {stored}: it was restored from an older backup (run `lethe restore`), or the group's "
                "offset was moved by hand"
            )
        if stored < beginning:
            raise PositionBelowLog(
                f"{self._name}: the next record to apply is {stored}, but the log begins at {beginning}: records were "
                "deleted before they were applied. Publish them again, or set the position in the table positions "
                f"to {beginning} if they are not needed"
            )

    async def _check_end(self, stored: int, consumer: AIOKafkaConsumer) -> None:
        end = (await consumer.end_offsets([self.partition]))[self.partition]
        if stored > end:
            raise PositionUnknown(
                f"{self._name}: the stored position {stored} lies behind the end of the log ({end}): the topic "
                "was created anew or truncated. Restore it, or delete its rows in the table positions to start over"
            )

    async def _recover(self, stored: int) -> None:
        """Publish from the outbox what was applied but not published, up to `stored`."""
        crashpoints.reach("lane.before_recovery")
        while self._published < stored:
            async with self._pool.acquire() as connection, connection.transaction():
                rows = await outbox.read(connection, self._vault, self._name, self._published, stored)
                position = rows[-1].next_position if rows else stored
                records = [record for row in rows for record in row.publications]
                await self._publisher.publish(records, position)
                await self._publisher.commit()
            self._published = position
            self._tidy_due = True
            self._metrics.recovered.labels(self._group).inc(len(records))
        await self._tidy()

    async def _publish_next(self) -> None:
        """Publish what is queued, all of it in one transaction; tidy the outbox while there is nothing to do."""
        try:
            timeout_s = _TIDY_INTERVAL_S if self._tidy_due else None
            batch = [await asyncio.wait_for(self._queue.get(), timeout_s)]
        except TimeoutError:
            await self._tidy()
            return
        while not self._queue.empty():
            batch.append(self._queue.get_nowait())
        try:
            await self._publish([owed for owed in batch if owed.next_offset > self._published])
        finally:
            self._unpublished -= len(batch)
        if monotonic_s() - self._tidied_s > _TIDY_INTERVAL_S:
            await self._tidy()

    async def _publish(self, batch: Sequence[Owed]) -> None:
        """Publish from memory. What does not join on to the published position is left to the recovery."""
        position = self._published
        for owed in batch:
            if owed.expected_offset != position:
                raise TimeoutError
            position = owed.next_offset
        if not batch:
            return
        records = [record for owed in batch for record in outbox.publications(owed.messages, owed.occurred_at)]
        if records:
            crashpoints.reach("lane.before_publish")
        started_s = monotonic_s()
        await self._publisher.publish(records, position)
        crashpoints.reach("lane.before_kafka_commit")
        await self._publisher.commit()
        crashpoints.reach("lane.after_kafka_commit")
        self._published, self._tidy_due = position, True
        self._metrics.publish_seconds.labels(self._group).observe(monotonic_s() - started_s)
        for topic, count in Counter(record.topic for record in records).items():
            self._metrics.published.labels(self._group, topic).inc(count)

    async def _leave_tidy(self) -> None:
        """Leave no row behind whose publication could be in doubt, were the group's offset ever lost or moved."""
        with contextlib.suppress(*database.RETRIED_ERRORS):
            await asyncio.wait_for(self._tidy(), _LEAVE_TIMEOUT_S)

    async def _tidy(self) -> None:
        """Delete the outbox rows that were published."""
        self._tidied_s = monotonic_s()
        if self._tidy_due:
            await outbox.delete_before(self._pool, self._name, self._published)
            self._tidy_due = False
