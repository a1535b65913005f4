"""Trims inbound topics behind what was applied, all the time; and says when a moment's records are behind the trim.

Only topics that are Lethe's own are trimmed: never one that is declared as shared, nor one on which a group that the
catalogue does not name has committed. Never past the position in PostgreSQL, nor past the group's committed offset:
what was not applied, or not published, stays. Trimming moves the log's start (DeleteRecords); the broker deletes a
segment from the disk once all of it lies before that, and the active one once it has been rolled (`rollers`).
"""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.errors import UnknownTopicOrPartitionError

from topics.topic import Topic
from workers.clock import monotonic_s
from workers.db import sql
from workers.settings import Settings

_POSITIONS = sql.queries("positions")
_STRANGERS_KEPT_S = 30.0
_DAY_MS = 86_400_000


class Standing(NamedTuple):
    """One inbound topic, for the certificate: trimmed past the last record in question, or why it is not.

    `shared_retention_ms` is given where the topic is not Lethe's alone: its bytes go by the topic's own retention.
    """

    topic: str
    is_past: bool
    shared_retention_ms: int | None = None


class Trimmer:
    """One per process; `start` before use. Errors are aiokafka's and asyncpg's.

    `besides` are trimmed as well, but no proof waits for them: answers to an erasure come after it.
    """

    def __init__(
        self, inbound: Iterable[Topic], pool: asyncpg.Pool, settings: Settings, besides: Iterable[Topic] = ()
    ) -> None:
        self._inbound = {topic.name: topic for topic in inbound}
        self._topics = {**self._inbound, **{topic.name: topic for topic in besides}}
        self._pool = pool
        self._settings = settings
        self._strangers: tuple[float, frozenset[str]] = (0.0, frozenset())
        self._admin: AIOKafkaAdminClient | None = None
        self._consumer: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Connect."""
        self._admin = AIOKafkaAdminClient(**self._settings.kafka_client)
        self._consumer = AIOKafkaConsumer(**self._settings.kafka_client, enable_auto_commit=False)
        await self._admin.start()
        await self._consumer.start()

    async def stop(self) -> None:
        """Let go of the connections."""
        for client in (self._consumer, self._admin):
            if client is not None:
                await (client.stop() if isinstance(client, AIOKafkaConsumer) else client.close())
        self._admin = self._consumer = None

    async def ends(self) -> dict[str, int]:
        """Where each inbound partition ends now: `topic/partition` to the offset of the next record."""
        assert self._consumer is not None
        ends = await self._consumer.end_offsets(await self._partitions())
        return {f"{one.topic}/{one.partition}": offset for one, offset in ends.items()}

    async def own(self) -> list[str]:
        """The topics that are Lethe's alone: these are trimmed."""
        strangers = await self._with_strangers()
        return [name for name, topic in self._topics.items() if topic.ownership == "own" and name not in strangers]

    async def trim(self) -> int:
        """Delete what was applied and published from every topic that is Lethe's own; returns how many partitions
        moved."""
        assert self._admin is not None
        assert self._consumer is not None
        own = await self.own()
        partitions = [one for one in await self._partitions() if one.topic in own]
        if not partitions:
            return 0
        starts = await self._consumer.beginning_offsets(partitions)
        targets = await self._done(partitions)
        moved = {
            one: RecordsToDelete(targets[one]) for one in partitions if one in targets and targets[one] > starts[one]
        }
        if moved:
            await self._admin.delete_records(moved)
        return len(moved)

    async def standing(self, inbound: Mapping[str, int]) -> list[Standing]:
        """Whether everything before these offsets (of `ends`) is trimmed, topic by topic."""
        assert self._consumer is not None
        strangers = await self._with_strangers()
        starts = await self._consumer.beginning_offsets(await self._partitions())
        found = []
        for name, topic in self._inbound.items():
            mine = {one: offset for one, offset in starts.items() if one.topic == name}
            assert mine, "no partition was looked at"
            if topic.ownership != "own" or name in strangers:
                found.append(Standing(name, True, topic.retention_ms))
                continue
            wanted = {one: inbound.get(f"{one.topic}/{one.partition}", 0) for one in mine}
            found.append(Standing(name, all(mine[one] >= wanted[one] for one in mine)))
        return found

    async def _done(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Up to where every group that reads a partition has applied and published. Two questions a group."""
        assert self._admin is not None
        done: dict[TopicPartition, list[int]] = {one: [] for one in partitions}
        for group in sorted({self._settings.group(name) for topic in self._topics.values() for name in topic.consume}):
            rows = await self._pool.fetch(_POSITIONS["of_group"], group)
            applied = {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}
            committed = await self._admin.list_consumer_group_offsets(group)
            for one, offsets in done.items():
                if group in {self._settings.group(name) for name in self._topics[one.topic].consume}:
                    published = committed[one].offset if one in committed else 0
                    offsets += [applied.get(one, 0), max(0, published)]
        return {one: min(offsets, default=0) for one, offsets in done.items()}

    async def _with_strangers(self) -> frozenset[str]:
        """Topics on which a group that the catalogue does not name has committed. Looked at every half minute."""
        assert self._admin is not None
        looked_s, found = self._strangers
        if looked_s and monotonic_s() - looked_s < _STRANGERS_KEPT_S:
            return found
        ours = {self._settings.group(one) for topic in self._topics.values() for one in topic.consume}
        groups = [name for name, _ in await self._admin.list_consumer_groups() if name not in ours]
        offsets = await asyncio.gather(*(self._admin.list_consumer_group_offsets(group) for group in groups))
        read = {one.topic for committed in offsets for one, at in committed.items() if at.offset >= 0}
        self._strangers = monotonic_s(), frozenset(read & self._topics.keys())
        return self._strangers[1]

    async def _partitions(self) -> list[TopicPartition]:
        """Every partition of every inbound topic. Raises UnknownTopicOrPartitionError where a topic is missing: what
        nobody looked at must not count as gone."""
        assert self._admin is not None
        described = await self._admin.describe_topics(list(self._topics))
        found = [
            TopicPartition(topic["topic"], one["partition"]) for topic in described for one in topic["partitions"]
        ]  # fmt: skip
        if {one.topic for one in found} != self._topics.keys():
            raise UnknownTopicOrPartitionError("an inbound topic is missing: `lethe topics apply` makes it")
        return sorted(found)


def gone_on(effective_at: datetime, retention_ms: int) -> datetime:
    """When the last bytes of a shared topic go, by its retention and one roll of its segment."""
    return effective_at + timedelta(milliseconds=retention_ms) + timedelta(days=1)


def days(retention_ms: int) -> int:
    """Retention as a certificate states it, rounded up."""
    return -(-retention_ms // _DAY_MS)
