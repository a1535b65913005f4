"""Reads how far consumer groups are behind on Lethe's topics, in messages and in seconds.

Runs outside the workers, so that the figure does not vanish with the worker it is about.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from topics import catalogue
from workers.engine.lag_search import AgeSearch, PartitionLag, search_for

PEEK_TIMEOUT_S = 3.0
PEEK_MAX_LAG = 64
STOP_TIMEOUT_S = 2.0

T = TypeVar("T")
Offsets = dict[TopicPartition, int]
Committed = dict[TopicPartition, int | None]


async def read_lag(
    connection: Mapping[str, object], groups: Iterable[str] | None, prefix: str, peek: bool = False
) -> list[PartitionLag]:
    """One reading with connections of its own; see `LagReader.read`."""
    async with LagReader(connection, prefix) as reader:
        return await reader.read(groups, peek)


class LagReader:
    """Reads lag again and again over the same connections.

    `connection` holds aiokafka's connection arguments (`bootstrap_servers`, `security_protocol`, …). It needs
    describe rights on the groups and topics, and read rights on the topics only for `peek`. Errors are
    aiokafka's.
    """

    def __init__(self, connection: Mapping[str, object], prefix: str) -> None:
        self._prefix = prefix
        self._admin = AIOKafkaAdminClient(**connection)
        # A fetch returns the first batch whole, however small the limit: a peek moves no more than that.
        self._consumer = AIOKafkaConsumer(
            **connection,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=1,
        )

    async def __aenter__(self) -> Self:
        try:
            await self._admin.start()
            await self._consumer.start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def read(self, groups: Iterable[str] | None = None, peek: bool = False) -> list[PartitionLag]:
        """Lag of `groups` (None: of every group that commits on Lethe's topics under the prefix), sorted.

        A partition without a commit counts from the log's start if the group commits elsewhere on that topic.
        `peek` looks at the first unread record where a short tail could be nothing but transaction markers;
        of what is looked at only offset and timestamp are used.
        """
        names = sorted(set(groups)) if groups is not None else await self._groups()
        committed = {group: await self._committed(group) for group in names}
        partitions = {tp for offsets in committed.values() for tp in offsets}
        if not partitions:
            return []
        starts: Offsets = await self._consumer.beginning_offsets(partitions)
        ends: Offsets = await self._consumer.end_offsets(partitions)
        now_ms = time.time_ns() // 1_000_000
        rows = {
            (group, tp): _Row(offset, max(starts[tp], offset or 0), ends[tp], now_ms, self._is_transactional(tp))
            for group, offsets in committed.items()
            for tp, offset in offsets.items()
        }
        await self._search([(tp, row.search) for (_, tp), row in rows.items() if row.search])
        if peek:
            for layer in _layers([(tp, row) for (_, tp), row in rows.items() if row.is_doubtful]):
                await self._peek(layer)
        return [row.result(group, tp) for (group, tp), row in sorted(rows.items())]

    async def _groups(self) -> list[str]:
        listed = await self._admin.list_consumer_groups()
        return sorted({entry[0] for entry in listed})

    async def _committed(self, group: str) -> Committed:
        """Commits of one group on Lethe's topics; None for partitions beside a committed one."""
        listed = await self._admin.list_consumer_group_offsets(group)
        offsets = {tp: entry.offset for tp, entry in listed.items() if entry.offset >= 0}
        ours = sorted({tp.topic for tp in offsets if self._is_read(tp.topic)})
        described = await self._admin.describe_topics(ours) if ours else []
        partitions = (
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described  # a topic deleted since has no partitions
            for partition in topic["partitions"]
        )
        return {tp: offsets.get(tp) for tp in partitions}

    async def _search(self, searches: list[tuple[TopicPartition, AgeSearch]]) -> None:
        """Advance all searches together: one request a step, more only where groups share a partition."""
        while open_ := [(tp, search) for tp, search in searches if not search.done]:
            await asyncio.gather(*(self._step(layer) for layer in _layers(open_)))

    async def _step(self, layer: dict[TopicPartition, AgeSearch]) -> None:
        answers = await self._consumer.offsets_for_times({tp: search.probe_ms for tp, search in layer.items()})
        for tp, search in layer.items():
            answer = answers.get(tp)
            search.answer(answer.offset if answer else None, answer.timestamp if answer else None)

    async def _peek(self, rows: dict[TopicPartition, "_Row"]) -> None:
        """Settle what a look can settle; the rest keeps what was found without one."""
        self._consumer.assign(list(rows))
        for tp, row in rows.items():
            self._consumer.seek(tp, row.position)
        deadline = time.monotonic() + PEEK_TIMEOUT_S
        open_ = dict(rows)
        while open_ and time.monotonic() < deadline:
            records = await self._consumer.getmany(*open_, timeout_ms=50)
            for tp, row in list(open_.items()):
                if found := records.get(tp):
                    row.first_unread(found[0].offset, found[0].timestamp)
                    del open_[tp]
                elif await self._consumer.position(tp) >= row.end:
                    row.nothing_unread()
                    del open_[tp]

    async def _stop(self) -> None:
        # aiokafka's fetcher swallows a cancellation that arrives while it changes its assignment, and stop()
        # then waits for ever; the time-out cancels it once more.
        await asyncio.wait_for(self._consumer.stop(), STOP_TIMEOUT_S)
        await self._admin.close()

    def _is_read(self, topic: str) -> bool:
        """False for others' topics, and for the one that only ever holds offsets."""
        return catalogue.template_of(self._prefix, topic) not in (None, catalogue.RELAY_POSITIONS)

    def _is_transactional(self, tp: TopicPartition) -> bool:
        return catalogue.template_of(self._prefix, tp.topic) in catalogue.TRANSACTIONAL


class _Row:
    """One group and partition while it is being read."""

    def __init__(self, committed: int | None, position: int, end: int, now_ms: int, transactional: bool) -> None:
        self.committed = committed
        self.position = position
        self.end = end
        self.search = search_for(position, end, now_ms, transactional)
        self.is_doubtful = transactional and self.search is not None and end - position <= PEEK_MAX_LAG

    def first_unread(self, offset: int, timestamp_ms: int) -> None:
        if self.search is not None:
            self.position = offset
            self.search.found_ms = timestamp_ms

    def nothing_unread(self) -> None:
        self.position = self.end
        self.search = None

    def result(self, group: str, tp: TopicPartition) -> PartitionLag:
        lag = max(0, self.end - self.position) if self.search is not None else 0
        seconds = self.search.age_s() if self.search is not None else 0.0
        return PartitionLag(group, tp.topic, tp.partition, self.committed, self.end, lag, seconds)


def _layers(items: list[tuple[TopicPartition, T]]) -> list[dict[TopicPartition, T]]:
    """Split items so that each partition is in a layer once: what one request can carry."""
    layers: list[dict[TopicPartition, T]] = []
    for tp, item in items:
        layer = next((layer for layer in layers if tp not in layer), None)
        if layer is None:
            layers.append(layer := {})
        layer[tp] = item
    return layers
