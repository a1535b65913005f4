"""The intake: reads topics in whole batches and hands them to the worker's agent through a Faust channel.

Faust's own consumer is not started: it acknowledges an event whose handler raised and commits past gaps. The
consumer here only brings records and group membership; what was applied is a position in PostgreSQL, moved by the
batch itself, and what was published is a group offset, moved by the lane's Kafka transaction. Nothing is committed
by the consumer.
"""

import asyncio
import contextlib
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, Protocol

import asyncpg
import mode
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from topics.catalogue import ROLLER_KEY
from workers.clock import Clock, monotonic_s
from workers.engine import record_batches, watchdog
from workers.engine.admission import Admission, Event, Rejected
from workers.engine.batch import Batch, BatchTransaction, Slice
from workers.engine.exit import Exit
from workers.engine.lane import Lane
from workers.engine.records import Record
from workers.engine.watchdog import Progress
from workers.errors import PartitionLost
from workers.log import logger
from workers.metrics import Metrics
from workers.settings import Settings
from workers.vault.subjects import SubjectVault

_LOG = logger(__name__)
_POLL_MS = 200
_DRAIN_STEP_S = 0.01
# Records; every answer of the database waits for two portions, and the database for the next question.
_PORTION = 10
_STOP_TIMEOUT_S = 5
_FETCH_SIZE_BYTES = 4 << 20
# The broker collects for a moment what trickles in. A batch costs four to five transactions however small it is: of
# batches as small as they come, each waits for the processor longer than it would have waited here.
_FETCH_MIN_BYTES = 64 << 10
_FETCH_WAIT_MS = 20


class Delivery(NamedTuple):
    """A batch on its way to the agent, and the lanes that it was read for."""

    batch: Batch
    lanes: tuple[Lane, ...]


class Channel(Protocol):
    """Where deliveries go: a Faust channel, which carries plain values when they are put directly."""

    async def put(self, value: Delivery, /) -> None:
        """Waits while the channel is full."""


class Intake(mode.Service):
    """The lanes of one consumer group on this worker, and what flows through them."""

    def __init__(
        self,
        topics: Sequence[str],
        consumer_group: str,
        channel: Channel,
        admission: Admission,
        transaction: BatchTransaction,
        pool: asyncpg.Pool,
        vault: SubjectVault,
        settings: Settings,
        metrics: Metrics,
        clock: Clock,
        exit_: Exit,
    ) -> None:
        super().__init__()
        self.topics = tuple(topics)
        self.consumer_group = consumer_group
        self.lanes: dict[TopicPartition, Lane] = {}
        self.polled_s = monotonic_s()
        self.joined = False
        self._channel = channel
        self._admission = admission
        self._transaction = transaction
        self._pool = pool
        self._vault = vault
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._exit = exit_
        self._lane_tasks: dict[TopicPartition, asyncio.Task[None]] = {}
        self._consumer: AIOKafkaConsumer | None = None

    async def on_start(self) -> None:
        """Join the group; returns at once, records flow when the first lane is open."""
        record_batches.install()
        self._consumer = AIOKafkaConsumer(
            **self._settings.kafka_client,
            group_id=self.consumer_group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            session_timeout_ms=int(self._settings.session_timeout_s * 1000),
            heartbeat_interval_ms=int(self._settings.session_timeout_s * 1000 / 4),
            rebalance_timeout_ms=int(self._settings.rebalance_timeout_s * 1000),
            max_poll_interval_ms=600_000,
            max_partition_fetch_bytes=_FETCH_SIZE_BYTES,
            fetch_min_bytes=_FETCH_MIN_BYTES,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            metadata_max_age_ms=30_000,
        )
        self._consumer.subscribe(self.topics, listener=_Listener(self))

    async def on_stop(self) -> None:
        """Finish what was read, publish it, leave the group."""
        await self.release(list(self.lanes), self._settings.rebalance_timeout_s / 2)
        if self._consumer is not None:
            with contextlib.suppress(asyncio.TimeoutError):  # aiokafka's fetcher can swallow its cancellation
                await asyncio.wait_for(self._consumer.stop(), _STOP_TIMEOUT_S)

    async def process(self, delivery: Delivery) -> None:
        """Apply one batch and queue what it owes. Never raises: what a retry cannot mend ends the process."""
        try:
            await self._exit.guard(self._process(delivery))
        finally:
            for lane in delivery.lanes:
                lane.in_hand.popleft()

    async def _process(self, delivery: Delivery) -> None:
        batch, lanes = delivery
        started_s = monotonic_s()
        try:
            for owed in await self._transaction.apply(batch, lambda: self._current(lanes)):
                lane = next(lane for lane in lanes if lane.partition == owed.partition)
                await lane.put(owed)
        except PartitionLost as error:
            _LOG.warning("batch_dropped", group=self.consumer_group, why=str(error))
            await self._read_again(lanes)
        self._metrics.batch_seconds.labels(self.consumer_group).observe(monotonic_s() - started_s)

    async def release(self, partitions: Collection[TopicPartition], timeout_s: float) -> None:
        """Let partitions go: finish what was read of them within `timeout_s`, then close their lanes.

        What is not finished by then is dropped here and done by the next owner, who fences this one.
        """
        lanes = [self.lanes[partition] for partition in partitions if partition in self.lanes]
        for lane in lanes:
            lane.paused = True
        deadline_s = monotonic_s() + timeout_s
        while any(lane.busy for lane in lanes) and monotonic_s() < deadline_s:  # noqa: ASYNC110  (many, briefly)
            await asyncio.sleep(_DRAIN_STEP_S)
        for lane in lanes:
            lane.closed = True
            self.lanes.pop(lane.partition, None)
        tasks = [task for lane in lanes if (task := self._lane_tasks.pop(lane.partition, None))]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def apply_published(self, partition: TopicPartition, position: int, end: int) -> None:
        """After a restore: apply the records from the stored `position` to `end`, whose effects were published before
        the database was lost, and publish nothing of it. No worker may run. Raises Stop, KafkaError.
        """
        if position >= end:
            return  # and no consumer: aiokafka's stop() raises CancelledError right behind its start()
        consumer = AIOKafkaConsumer(
            **self._settings.kafka_client, enable_auto_commit=False, auto_offset_reset="none",
            isolation_level="read_committed",
        )  # fmt: skip
        consumer.assign([partition])
        await consumer.start()
        try:
            consumer.seek(partition, position)
            while position < end:
                fetched = await consumer.getmany(
                    partition, timeout_ms=_POLL_MS, max_records=self._settings.batch_max_records
                )
                records = [record for record in fetched.get(partition, []) if record.offset < end]
                reached = min(end, await consumer.position(partition))
                if reached > position:
                    slice_ = Slice(partition, await self._admit(records), position, reached)
                    await self._transaction.apply(Batch((slice_,)), lambda: True)
                    position = reached
        finally:
            await consumer.stop()

    @property
    def ready(self) -> bool:
        """Whether the group was joined and every lane that was assigned has opened."""
        return self.joined and all(lane.next_offset is not None for lane in self.lanes.values())

    def progress(self) -> list[Progress]:
        """How each assigned partition stands."""
        consumer = self._joined_consumer()
        return [watchdog.progress(lane, consumer) for lane in list(self.lanes.values())]

    def take(self, partitions: Iterable[TopicPartition]) -> None:
        """Open a lane for each newly assigned partition."""
        self.joined = True
        self._metrics.rebalances.labels(self.consumer_group).inc()
        for partition in partitions:
            lane = Lane(partition, self.consumer_group, self._pool, self._vault, self._settings, self._metrics)
            self.lanes[partition] = lane
            self._lane_tasks[partition] = asyncio.create_task(self._exit.guard(lane.run(self._joined_consumer())))

    @mode.Service.task
    async def _pull(self) -> None:
        await self._exit.guard(self._pull_until_stopped())

    async def _pull_until_stopped(self) -> None:
        await self._start_consumer()
        try:
            while not self.should_stop:
                await self._pull_once()
        except asyncio.CancelledError:
            if not self.should_stop:  # it leaked out of a library: nobody would pull again
                self._exit.now(RuntimeError("the intake ended by itself"))
            raise

    async def _start_consumer(self) -> None:
        consumer = self._joined_consumer()
        while not self.should_stop:
            try:
                await consumer.start()
                return
            except KafkaError as error:
                _LOG.warning("kafka_away", error=type(error).__name__)
                await asyncio.sleep(self._settings.retry_initial_s)

    async def _pull_once(self) -> None:
        """Read what is there, in log order per partition, and hand it on as one batch."""
        self.polled_s = monotonic_s()
        open_partitions = [lane.partition for lane in self.lanes.values() if lane.readable]
        if not open_partitions:
            await asyncio.sleep(_DRAIN_STEP_S)
            return
        read = [
            claimed
            for partition, records in (await self._fetch(open_partitions)).items()
            if (claimed := self._claim(partition, records))
        ]
        if read:
            slices = [
                Slice(lane.partition, await self._admit(records), expected, records[-1].offset + 1)
                for lane, records, expected in read
            ]
            await self._channel.put(Delivery(Batch(tuple(slices)), tuple(lane for lane, _, _ in read)))

    async def _admit(self, records: Sequence[Record]) -> list[Event | Rejected]:
        """Check records in small portions: the batch before is in the database meanwhile, and goes first. A roller is
        nothing: the position moves over it."""
        now, admitted = self._clock(), list[Event | Rejected]()
        for start in range(0, len(records), _PORTION):
            portion = records[start : start + _PORTION]
            admitted += [self._admission.admit(record, now) for record in portion if not _is_roller(record)]
            await asyncio.sleep(0)
        return admitted

    async def _fetch(self, partitions: list[TopicPartition]) -> dict[TopicPartition, list[Record]]:
        try:
            fetched: dict[TopicPartition, list[Record]] = await self._joined_consumer().getmany(
                *partitions, timeout_ms=_POLL_MS, max_records=self._settings.batch_max_records
            )
            return fetched
        except NoOffsetForPartitionError:
            return {}  # the consumer's own look-up before the lane's seek; the lane knows the position
        except OffsetOutOfRangeError as error:
            # each lane looks at the log again, and stops the worker when records are missing
            await self._read_again([lane for p in error.args[0] if (lane := self.lanes.get(p))])
            return {}

    def _claim(self, partition: TopicPartition, records: list[Record]) -> tuple[Lane, list[Record], int] | None:
        """The records from the lane's position on, which moves behind them; what was read before a seek is left out."""
        lane = self.lanes.get(partition)
        if lane is None or not lane.readable or lane.next_offset is None:
            return None
        expected = lane.next_offset
        fresh = records if records[0].offset >= expected else [r for r in records if r.offset >= expected]
        if not fresh:
            return None
        lane.next_offset = fresh[-1].offset + 1
        lane.in_hand.append(fresh[0].timestamp)
        return lane, fresh, expected

    async def _read_again(self, lanes: Sequence[Lane]) -> None:
        """Open the lanes anew: they seek to the stored position. Waits a little, in case we are the zombie."""
        await asyncio.sleep(self._settings.retry_initial_s)
        again = [lane.partition for lane in lanes if self._current([lane])]
        await self.release(again, timeout_s=0)
        assigned = self._joined_consumer().assignment()
        self.take(partition for partition in again if partition in assigned)

    def _current(self, lanes: Iterable[Lane]) -> bool:
        """Whether these very lanes are still open here: a partition that went and came back has another one."""
        return all(self.lanes.get(lane.partition) is lane for lane in lanes)

    def _joined_consumer(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise IllegalStateError("the intake was not started")
        return self._consumer


def _is_roller(record: Record) -> bool:
    return record.value is None and record.key == ROLLER_KEY


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Passes assignments on. aiokafka rejoins when `on_partitions_revoked` returns, so that one drains first."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        await self._intake.release(list(self._intake.lanes), self._intake._settings.rebalance_timeout_s / 2)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._intake.take(assigned)
