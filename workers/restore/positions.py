"""Positions: what was applied and published after the backup was taken, according to Kafka.

Nothing of it is published again. Where the log still has the records, their effects on the database are made again;
where it was trimmed, they are lost to this database, and that is said.
"""

from collections.abc import Mapping
from typing import NamedTuple

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from workers.db import sql
from workers.engine import outbox, restore_fence
from workers.engine.batch import lane_name
from workers.engine.intake import Intake
from workers.engine.relay import shard_lane
from workers.settings import Settings

_QUERIES = sql.queries("restore")


class Behind(NamedTuple):
    """A partition of which the database has applied less than was published."""

    group: str
    partition: TopicPartition
    stored: int
    published: int


class Reapplied(NamedTuple):
    """`applied`: offsets whose effects were made again; `lost`: offsets that the log no longer holds."""

    group: str
    partition: TopicPartition
    applied: int
    lost: int


async def relay_behind(pool: asyncpg.Pool, settings: Settings) -> dict[int, int]:
    """The relay's shards of which Kafka knows more, and up to where. Raises KafkaError."""
    published = await restore_fence.relay_published(settings)
    stored = {row["shard"]: row["next_position"] for row in await pool.fetch(_QUERIES["relay_positions"])}
    return {shard: position for shard, position in published.items() if position > stored.get(shard, 0)}


async def behind(pool: asyncpg.Pool, settings: Settings) -> list[Behind]:
    """The partitions of which Kafka knows more. Raises KafkaError."""
    found, committed = list[Behind](), dict[str, Mapping[TopicPartition, int]]()
    for group, topic, number, stored in await pool.fetch(_QUERIES["positions"]):
        if group not in committed:
            committed[group] = await restore_fence.committed(settings, group)
        partition = TopicPartition(topic, number)
        if (published := committed[group].get(partition, 0)) > stored:
            found.append(Behind(group, partition, stored, published))
    return found


async def raise_relay(pool: asyncpg.Pool, settings: Settings, published: Mapping[int, int]) -> None:
    """Go on where Kafka is; rows of the backup that were published are deleted."""
    for shard, position in published.items():
        await outbox.delete_before(pool, shard_lane(settings, shard), position)
        await pool.execute(_QUERIES["raise_relay_position"], shard, position)


async def make_up(pool: asyncpg.Pool, settings: Settings, one: Behind, intake: Intake | None) -> Reapplied:
    """Bring one partition to where Kafka is. `intake` is its worker's; None: there is no such worker any more."""
    beginning = await _beginning(settings, one.partition)
    start = min(max(one.stored, beginning), one.published)
    key = (one.group, one.partition.topic, one.partition.partition)
    await pool.execute(_QUERIES["move_position"], *key, start)
    applied = 0
    if intake is not None:
        await intake.apply_published(one.partition, start, one.published)
        applied = one.published - start
    await pool.execute(_QUERIES["move_position"], *key, one.published)
    return Reapplied(one.group, one.partition, applied, one.published - one.stored - applied)


async def forget_published(pool: asyncpg.Pool, settings: Settings) -> None:
    """Delete what the lanes of every partition have published, so that no worker publishes it again."""
    for group, topic, number, _ in await pool.fetch(_QUERIES["positions"]):
        partition = TopicPartition(topic, number)
        published = (await restore_fence.committed(settings, group)).get(partition)
        if published is not None:
            await outbox.delete_before(pool, lane_name(group, partition), published)


async def _beginning(settings: Settings, partition: TopicPartition) -> int:
    consumer = AIOKafkaConsumer(**settings.kafka_client, enable_auto_commit=False)
    await consumer.start()
    try:
        return int((await consumer.beginning_offsets([partition]))[partition])
    finally:
        await consumer.stop()
