"""The shop's parcels on Kafka: a compacted topic of its own, keyed by order, that never stands still."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workers.settings import Settings

if TYPE_CHECKING:
    from workers.cli.demo.people import Customer

STORE: Final = "parcels"
TOPIC: Final = "shop.parcels"
_DEPOT: Final = b"depot"
_EVERY_S: Final = 0.2
_CONFIG: Final = {
    "cleanup.policy": "compact",
    "segment.ms": "1000",
    "max.compaction.lag.ms": "1000",
    "min.cleanable.dirty.ratio": "0.01",
    "file.delete.delay.ms": "1000",
}
"""A tombstone is not enough: its segment must close, and compaction must run, before the value is gone."""


def description(folder: Path) -> dict[str, Any]:
    """The store's file."""
    return {
        "name": STORE, "title": "Parcels on the shop's Kafka", "kind": "kafka", "identifiers": ["order_id"],
        "backups_kept_days": 0,
        "options": {"topics": [{"what": "parcels", "topic": TOPIC, "key": "{order_id}"}]},
    }  # fmt: skip


async def fill(settings: Settings, customers: "Sequence[Customer]") -> None:
    """Make the topic; each parcel, with whom it goes to."""
    from aiokafka import AIOKafkaProducer
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    admin = AIOKafkaAdminClient(**settings.kafka_client)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, 1, 1, topic_configs=_CONFIG)])
    finally:
        await admin.close()
    async with AIOKafkaProducer(**settings.kafka_client, enable_idempotence=True) as producer:
        for person, orders in customers:
            value = {"ref": person.reference, "name": person.name, "street": person.street, "phone": person.phone}
            for order in orders:
                await producer.send(TOPIC, json.dumps(value).encode(), key=order.encode())
        await producer.flush()


@asynccontextmanager
async def in_motion(settings: Settings) -> AsyncIterator[None]:
    """While it is entered the shop goes on writing, about nobody: other records are what closes a segment."""
    from aiokafka import AIOKafkaProducer

    async with AIOKafkaProducer(**settings.kafka_client, enable_idempotence=True) as producer:

        async def go_on() -> None:
            while True:
                await producer.send_and_wait(TOPIC, b'{"status":"open"}', key=_DEPOT)
                await asyncio.sleep(_EVERY_S)

        going = asyncio.create_task(go_on())
        try:
            yield
        finally:
            going.cancel()
            with suppress(asyncio.CancelledError):
                await going


async def rows(settings: Settings, owners: Mapping[str, str]) -> list[tuple[str, str | None, str]]:
    """The latest value of each parcel. `owners`: whose each order is."""
    from aiokafka import AIOKafkaConsumer, TopicPartition

    partition = TopicPartition(TOPIC, 0)
    latest: dict[bytes, bytes | None] = {}
    async with AIOKafkaConsumer(**settings.kafka_client, enable_auto_commit=False) as consumer:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        while await consumer.position(partition) < end:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                latest.update((record.key, record.value) for record in records)
    return [
        (TOPIC, owners.get(key.decode()), f"{key.decode()} {value.decode()}")
        for key, value in sorted(latest.items())
        if value is not None and key != _DEPOT
    ]
