"""The restore fence: a database that was restored from a backup is noticed before any worker runs.

What was published lies outside the database, in Kafka's committed offsets: where Kafka knows of more than the
database does, the database is an older one. Erasures and suppressions go through the relay, so its position tells of
them.
"""

import asyncio
from collections.abc import Mapping

import asyncpg
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from workers.db import sql
from workers.engine import publisher
from workers.engine.database import Connection
from workers.engine.relay import POSITIONS_TOPIC
from workers.errors import DatabaseRestored
from workers.log import logger
from workers.settings import Settings

_QUERIES = sql.queries("restore")
_LOG = logger(__name__)
_ADVICE = "Who was erased or said no since then would be back if a worker ran. Run `lethe restore`"


async def check(pool: Connection | asyncpg.Pool, settings: Settings) -> None:
    """Raise DatabaseRestored when Kafka has published more than the database knows of, or a restore was broken off.

    Waits while Kafka is away: without its answer nobody knows.
    """
    if await pool.fetchval(_QUERIES["unfinished"]) is not None:
        raise DatabaseRestored("`lethe restore` was begun and not finished: run it again")
    published = await relay_published_patiently(settings)  # before the database is asked, which only ever runs ahead
    stored = {row["shard"]: row["next_position"] for row in await pool.fetch(_QUERIES["relay_positions"])}
    for shard, position in published.items():
        if position > stored.get(shard, 0):
            raise DatabaseRestored(
                f"Kafka says that {position} batches of the relay's shard {shard} were published, the database knows "
                f"{stored.get(shard, 0)}: it was restored from an older backup. {_ADVICE}"
            )


async def relay_published_patiently(settings: Settings) -> Mapping[int, int]:
    """Up to which position each shard of the relay was published; asks until Kafka answers."""
    while True:
        try:
            return await relay_published(settings)
        except publisher.KAFKA_ERRORS as error:
            _LOG.warning("kafka_away", error=type(error).__name__)
        await asyncio.sleep(settings.retry_max_s)


async def relay_published(settings: Settings) -> Mapping[int, int]:
    """Up to which position each shard of the relay was published. Raises KafkaError."""
    topic = settings.topic(POSITIONS_TOPIC)
    found = await committed(settings, settings.group("relay"))
    return {partition.partition: offset for partition, offset in found.items() if partition.topic == topic}


async def committed(settings: Settings, group: str) -> Mapping[TopicPartition, int]:
    """The committed offsets of a consumer group. Raises KafkaError."""
    admin = AIOKafkaAdminClient(**settings.kafka_client)
    try:
        await admin.start()
        found = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    return {partition: one.offset for partition, one in found.items() if one.offset >= 0}
