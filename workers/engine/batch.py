"""The batch transaction: position, dedupe, state, outbox and dead letters commit together, or not at all.

`BatchTransaction.apply` returns what each partition owes to Kafka. It raises PartitionLost when another worker has
moved a position, Stop when a person must act; everything transient it retries in place.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg
from aiokafka import TopicPartition

from schemas.consent import ConsentWithdrawn
from workers.clock import Clock
from workers.db import literals, sql
from workers.engine import crashpoints, database, erased, outbox, relay, retry
from workers.engine.admission import Event, Rejected
from workers.engine.database import Connection
from workers.engine.outbox import Message
from workers.engine.parking import ParkingGuard, ParkingLot
from workers.engine.unit import UnitOfWork
from workers.errors import PartitionLost, RefusalCode, Refused
from workers.log import logger
from workers.metrics import Metrics
from workers.settings import Settings
from workers.vault.subjects import Subject, SubjectVault

_POSITIONS = sql.queries("positions")
_EVENTS = sql.queries("events")
_LOG = logger(__name__)
_SHARD = 0
_NO_PARTITION = TopicPartition("", -1)


class Slice(NamedTuple):
    """Consecutive records of one partition, admitted or rejected.

    `expected_offset` is the stored position that must be in force when the slice is applied, `next_offset` the one
    that replaces it. Offsets between them that no record has are control records or were compacted away.
    """

    partition: TopicPartition
    admitted: Sequence[Event | Rejected]
    expected_offset: int
    next_offset: int


class Batch(NamedTuple):
    """The slices of one poll, applied together."""

    slices: tuple[Slice, ...]

    @property
    def record_count(self) -> int:
        """How many records there are in all slices."""
        return sum(len(slice_.admitted) for slice_ in self.slices)

    def halves(self) -> "tuple[Batch, Batch]":
        """The same records as two batches to be applied one after the other. Needs two records at least."""
        if len(self.slices) > 1:
            middle = len(self.slices) // 2
            return Batch(self.slices[:middle]), Batch(self.slices[middle:])
        only = self.slices[0]
        middle = len(only.admitted) // 2
        cut = only.admitted[middle].record.offset
        return (
            Batch((only._replace(admitted=only.admitted[:middle], next_offset=cut),)),
            Batch((only._replace(admitted=only.admitted[middle:], expected_offset=cut),)),
        )


class Owed(NamedTuple):
    """What a committed slice owes to Kafka."""

    partition: TopicPartition
    expected_offset: int
    next_offset: int
    occurred_at: datetime
    messages: list[Message]


class Outcome(NamedTuple):
    """What became of a batch's records before they are written down."""

    messages: dict[TopicPartition, list[Message]]
    rejected: list[Rejected]
    released: list[Event]
    verdicts: list[RefusalCode | None]
    duplicates: int
    behind: frozenset[bytes] = frozenset()
    """References of erased persons whose later events wait to be replayed: what is parked of them joins the queue."""


class BatchTransaction:
    """Applies batches of one consumer group."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        vault: SubjectVault,
        lot: ParkingLot,
        unit_of_work: Callable[[], UnitOfWork],
        consumer_group: str,
        settings: Settings,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._vault = vault
        self._erased = erased.ErasedPersons(vault, consumer_group)
        self._lot = lot
        self._unit_of_work = unit_of_work
        self._group = consumer_group
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._guard = ParkingGuard(settings)

    async def apply(self, batch: Batch, owned: Callable[[], bool]) -> list[Owed]:
        """Apply every record of the batch once. `owned` says whether its partitions are still ours.

        Retries in place for as long as they are. A batch whose rows the database refuses is halved until the
        record to blame is alone, and that one is parked.
        """
        pending, done = [(batch, False)], list[Owed]()
        while pending:
            part, doomed = pending.pop()
            try:
                done.extend(await self._apply_persistently(part, doomed, owned))
            except database.DATA_ERRORS as error:
                if part.record_count > 1:
                    first, second = part.halves()
                    pending += [(second, doomed), (first, doomed)]
                elif not doomed:
                    _LOG.error("record_refused_by_database", error=type(error).__name__)
                    pending.append((part, True))
                else:
                    raise
        return done

    async def _apply_persistently(self, batch: Batch, doomed: bool, owned: Callable[[], bool]) -> list[Owed]:
        owed: list[Owed] = []
        async for attempt in retry.attempts(self._settings):
            if not owned():
                raise PartitionLost("the batch's partitions were taken away while it was applied")
            try:
                if attempt and owed and await self._was_committed(batch):
                    return owed
                owed = []
                return await self._apply_once(batch, doomed, owed)
            except database.DATA_ERRORS:
                raise
            except database.RETRIED_ERRORS as error:
                self._metrics.retries.labels(self._group, type(error).__name__).inc()
                _LOG.warning("batch_retried", attempt=attempt, error=type(error).__name__)
        raise AssertionError("attempts never end")

    async def _apply_once(self, batch: Batch, doomed: bool, owed: list[Owed]) -> list[Owed]:
        now = self._clock()
        admitted = [one for slice_ in batch.slices for one in slice_.admitted]
        if doomed:
            admitted = [_refused_by_database(one) for one in admitted]
        async with self._pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await self._advance(connection, batch.slices)
                outcome = await self.decide(connection, admitted, now)
                standing = self._guard.check(outcome.verdicts)
                await self._write_down(connection, batch, outcome, now)
                crashpoints.reach("batch.before_commit")
                owed.extend(self._owed(batch, outcome, now))
            except BaseException:
                await _roll_back(transaction)
                raise
            await transaction.commit()
        self._guard.accept(standing)
        crashpoints.reach("batch.after_commit")
        self._count(batch, outcome)
        return owed

    async def _advance(self, connection: Connection, slices: Sequence[Slice]) -> None:
        moved = await connection.fetch(
            _POSITIONS["advance"],
            self._group,
            [slice_.partition.topic for slice_ in slices],
            [slice_.partition.partition for slice_ in slices],
            [slice_.expected_offset for slice_ in slices],
            [slice_.next_offset for slice_ in slices],
        )
        if len(moved) != len(slices):
            raise PartitionLost("another worker has moved the position of a partition of this batch")

    async def decide(
        self, connection: Connection, admitted: Sequence[Event | Rejected], now: datetime, is_replay: bool = False
    ) -> Outcome:
        """Dedupe, decide and store the state in the caller's transaction; what is emitted or refused is returned."""
        admitted = await self._erased.without_bodies(connection, admitted)
        events = [event for event in admitted if isinstance(event, Event)]
        seen = await self._claim(connection, events)
        first_seen = [event for event in events if event.event_key not in seen] if seen else events
        subjects = await self._vault.hold(connection, [event.reference_hash for event in first_seen])
        behind = frozenset[bytes]() if is_replay else await self._erased.behind(connection, subjects)
        if behind:
            subjects = {hash_: one._replace(fenced=one.fenced or hash_ in behind) for hash_, one in subjects.items()}
        unit = self._unit_of_work()
        await unit.load(connection, [(event, subjects[event.reference_hash]) for event in first_seen])
        outcome = handle_all(admitted, seen, subjects, unit)
        await unit.store(connection, now)
        await self._erased.forget_unused(connection, first_seen, subjects, outcome.rejected)
        return outcome._replace(behind=behind) if behind else outcome

    async def _claim(self, connection: Connection, events: Sequence[Event]) -> set[bytes]:
        """Mark events as seen; returns the keys of those that had been seen before."""
        if not events:
            return set()
        keys = literals.array([event.event_key.hex() for event in events])
        return {bytes.fromhex(row[0]) for row in await connection.fetch(_EVENTS["claim"], keys)}

    async def release(self, connection: Connection, outcome: Outcome) -> None:
        """Forget that refused events were seen: a replay or a corrected repetition must have its effect."""
        keys = literals.array([event.event_key.hex() for event in outcome.released])
        await connection.execute(_EVENTS["release"], keys)

    async def _write_down(self, connection: Connection, batch: Batch, outcome: Outcome, now: datetime) -> None:
        if outcome.released:
            await self.release(connection, outcome)
        if outcome.rejected:
            for one in outcome.rejected:
                partition = TopicPartition(one.record.topic, one.record.partition)
                notices = await self._lot.park(connection, [one], now)
                outcome.messages.setdefault(partition, []).extend(notices)
            await self._erased.queue(connection, outcome.behind, now)
        for slice_ in batch.slices:
            messages = outcome.messages.get(slice_.partition)
            if messages:
                lane = lane_name(self._group, slice_.partition)
                ahead = relay.shard_lane(self._settings, _SHARD)
                behind = await outbox.add_behind(
                    connection, lane, slice_.expected_offset, slice_.next_offset, now, messages, ahead
                )
                if behind:  # a replay of the same person's: what a carrier is told last must be the latest
                    await relay.add(connection, self._settings, _SHARD, now, behind)
                    outcome.messages[slice_.partition] = [one for one in messages if one not in behind]

    def _owed(self, batch: Batch, outcome: Outcome, now: datetime) -> list[Owed]:
        return [
            Owed(one.partition, one.expected_offset, one.next_offset, now, outcome.messages.get(one.partition, []))
            for one in batch.slices
        ]

    async def _was_committed(self, batch: Batch) -> bool:
        """Whether an attempt whose COMMIT was not answered took effect: the positions tell."""
        for slice_ in batch.slices:
            partition = slice_.partition
            stored = await self._pool.fetchval(_POSITIONS["read"], self._group, partition.topic, partition.partition)
            if stored != slice_.next_offset:
                return False
        return True

    def _count(self, batch: Batch, outcome: Outcome) -> None:
        for slice_ in batch.slices:
            self._metrics.records.labels(self._group, slice_.partition.topic).inc(len(slice_.admitted))
        self._metrics.duplicates.labels(self._group).inc(outcome.duplicates)
        for one in outcome.rejected:
            self._metrics.refusals.labels(self._group, one.refusal.code).inc()


def _refused_by_database(one: Event | Rejected) -> Rejected:
    if isinstance(one, Rejected):
        return one
    refusal = Refused(
        RefusalCode.DATABASE_REFUSED,
        "the database refuses what this event would store; a developer must look at it, then replay it",
    )
    return Rejected(one.record, refusal, one.event_key, one.event_type, one.reference_hash)


def lane_name(consumer_group: str, partition: TopicPartition) -> str:
    """The lane of a source partition: names its outbox rows and its transactional id."""
    return f"{consumer_group}/{partition.topic}/{partition.partition}"


def handle_all(
    admitted: Sequence[Event | Rejected],
    seen: set[bytes],
    subjects: Mapping[bytes, Subject],
    unit: UnitOfWork,
) -> Outcome:
    """Handle each event in log order, once; collect what is emitted and what is refused. Pure but for the unit.

    `seen`: keys of events that had been seen before; the others are added as they are handled.
    """
    outcome = Outcome({}, [], [], [], 0)
    duplicates, partition = 0, _NO_PARTITION
    for one in admitted:
        if isinstance(one, Rejected):
            outcome.rejected.append(one)
            outcome.verdicts.append(one.refusal.code)
            continue
        if one.event_key in seen:
            duplicates += 1
            continue
        seen.add(one.event_key)
        try:
            messages = _handle(one, subjects[one.reference_hash], unit)
        except Refused as refusal:
            seen.discard(one.event_key)  # its correction may follow in this very batch
            outcome.rejected.append(Rejected(one.record, refusal, one.event_key, one.event_type, one.reference_hash))
            outcome.released.append(one)
            outcome.verdicts.append(refusal.code)
            continue
        outcome.verdicts.append(None)
        if messages:
            record = one.record
            if record.partition != partition.partition or record.topic != partition.topic:
                partition = TopicPartition(record.topic, record.partition)
            outcome.messages.setdefault(partition, []).extend(messages)
    released = [event for event in outcome.released if event.event_key not in seen]
    return outcome._replace(released=released, duplicates=duplicates)


def _handle(event: Event, subject: Subject, unit: UnitOfWork) -> list[Message]:
    # A no counts whenever it comes: no more is kept of it.
    if subject.not_before is not None and not isinstance(event.data, ConsentWithdrawn):
        erased.refuse(event, subject, subject.not_before)
    try:
        return unit.handle(event, subject)
    except Refused:
        raise
    except Exception as error:
        raise Refused(
            RefusalCode.INTERNAL_ERROR,
            f"a fault in Lethe ({type(error).__name__}); the event is kept sealed: report it, then replay it",
        ) from None


async def _roll_back(transaction: asyncpg.transaction.Transaction) -> None:
    try:
        await transaction.rollback()
    except database.RETRIED_ERRORS as error:
        _LOG.debug("rollback_unanswered", error=type(error).__name__)
