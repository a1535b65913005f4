"""Topics of our own, read from their beginning to their end without a consumer group."""

from collections.abc import AsyncGenerator

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from workers.engine.records import Record
from workers.errors import UsageError
from workers.settings import Settings

_BATCH_RECORDS = 500
_POLL_MS = 500


async def read(settings: Settings, name: str) -> AsyncGenerator[list[Record], None]:
    """All that is committed in the topic now (named without prefix), in order per partition, a few at a time.

    Raises UsageError where there is no such topic: nothing read would look as if nothing had happened; KafkaError.
    """
    partitions = await _partitions(settings, settings.topic(name))
    consumer = AIOKafkaConsumer(
        **settings.kafka_client, enable_auto_commit=False, isolation_level="read_committed", auto_offset_reset="none"
    )
    consumer.assign(partitions)
    await consumer.start()
    try:
        beginnings = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, beginnings[partition])
            while await consumer.position(partition) < ends[partition]:
                fetched = await consumer.getmany(partition, timeout_ms=_POLL_MS, max_records=_BATCH_RECORDS)
                if records := fetched.get(partition):
                    yield records
    finally:
        await consumer.stop()


async def _partitions(settings: Settings, topic: str) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(**settings.kafka_client)
    try:
        await admin.start()
        (described,) = await admin.describe_topics([topic])
    finally:
        await admin.close()
    if described["error_code"] or not described["partitions"]:
        raise UsageError(f"the topic {topic} cannot be read: what happened since the backup is not known without it")
    return [TopicPartition(topic, number) for number in sorted(one["partition"] for one in described["partitions"])]
