"""Rolls idle partitions, so that what was trimmed or superseded leaves the disk.

Kafka deletes and compacts closed segments only, and closes one when the next record comes that is `segment.ms` younger
than its first (LogSegment.shouldRoll): on a partition where nothing more comes, an erased person's bytes would stay.
So once nothing has come for longer than that, a record is published that is nothing: the roller. Where records keep
coming, they themselves close the segments.
"""

import asyncio
from collections.abc import Collection, Iterable
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from topics.catalogue import ROLLER_KEY
from workers.clock import monotonic_s
from workers.settings import Settings

_HEADERS = [("ce_type", b"lethe.roller")]
_LOOK_EVERY_S = 1.0
_MARGIN_S = 1.0


class _Idle(NamedTuple):
    """A partition whose log ends here, and since when as far as we know."""

    end: int
    since_s: float


class Rollers:
    """One per process; `start` before use. Errors are aiokafka's.

    Nothing is stored: after a start each partition that holds anything gets one roller, whatever was known before.
    """

    def __init__(self, carrier_topics: Iterable[str], settings: Settings) -> None:
        self._carrier_topics = frozenset(carrier_topics)
        self._settings = settings
        self._idle_s = settings.segment_ms / 1000 + _MARGIN_S
        self._looked_s = 0.0
        self._idle: dict[TopicPartition, _Idle] = {}
        self._rolled: dict[TopicPartition, int] = {}
        self._clients: tuple[AIOKafkaAdminClient, AIOKafkaConsumer, AIOKafkaProducer] | None = None

    async def start(self) -> None:
        """Connect."""
        client = self._settings.kafka_client
        self._clients = (
            AIOKafkaAdminClient(**client),
            AIOKafkaConsumer(**client, enable_auto_commit=False),
            AIOKafkaProducer(**client, acks="all", enable_idempotence=True),
        )
        for one in self._clients:
            await one.start()

    async def stop(self) -> None:
        """Let go of the connections, and forget."""
        clients, self._clients = self._clients, None
        self._idle.clear()
        self._rolled.clear()
        if clients is not None:
            admin, consumer, producer = clients
            await producer.stop()
            await consumer.stop()
            await admin.close()

    async def roll(self, inbound: Collection[str]) -> int:
        """Publish a roller to each partition of these topics, and of the carriers', that has been idle for long
        enough and does not end with one; returns to how many. `inbound` must be Lethe's own."""
        assert self._clients is not None
        now_s = monotonic_s()
        if now_s - self._looked_s < _LOOK_EVERY_S:
            return 0
        self._looked_s = now_s
        ends = await self._ends(self._carrier_topics | set(inbound))
        fresh = {one: end for one, end in ends.items() if end and end != self._rolled.get(one)}
        known = self._idle
        self._idle = {
            one: known[one] if one in known and known[one].end == end else _Idle(end, now_s)
            for one, end in fresh.items()
        }  # fmt: skip
        due = [one for one, idle in self._idle.items() if now_s - idle.since_s >= self._idle_s]
        await asyncio.gather(*(self._publish(one, self._idle[one].end) for one in due))
        return len(due)

    async def _publish(self, partition: TopicPartition, end: int) -> None:
        """Remembers where the log ends if the roller alone came behind `end`: one that finds a record before it has
        closed nothing behind that one, and the partition is not done."""
        assert self._clients is not None
        await self._clients[2].send_and_wait(
            partition.topic, key=ROLLER_KEY, partition=partition.partition, headers=_HEADERS
        )
        self._rolled[partition] = end + 1

    async def _ends(self, topics: Collection[str]) -> dict[TopicPartition, int]:
        """Where the partitions of these topics end; a topic that is missing has nothing to roll."""
        assert self._clients is not None
        admin, consumer, _ = self._clients
        described = await admin.describe_topics(sorted(topics))
        found = [TopicPartition(one["topic"], part["partition"]) for one in described for part in one["partitions"]]
        ends: dict[TopicPartition, int] = await consumer.end_offsets(found)
        return ends
