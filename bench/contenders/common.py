"""What the contenders other than Lethe share: reading the order, writing the address."""

import re
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import asyncpg
import orjson
from aiokafka import AIOKafkaProducer, TopicPartition

from bench.task import OUTPUT_PARTITIONS
from schemas.order import OrderPlaced

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
Headers = list[tuple[str, bytes]]
Output = tuple[str, bytes, bytes, Headers]
"""Topic, key, value, headers."""

read_order = OrderPlaced.__pydantic_validator__.validate_json


def queries(name: str) -> dict[str, str]:
    """The named queries of `<name>.sql` beside the contenders."""
    text = (resources.files("bench.contenders") / f"{name}.sql").read_text("utf-8")
    parts = _NAME.split(text)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


async def connect(dsn: str) -> asyncpg.Pool:
    """A pool, set like Lethe's."""
    return await asyncpg.create_pool(dsn, min_size=1, max_size=4, server_settings={"jit": "off"})


def event_name(headers: Sequence[tuple[str, bytes]]) -> bytes:
    """What tells one event from another: CloudEvents' source and id."""
    found = dict(headers)
    return found["ce_source"] + b"\0" + found["ce_id"]


def address(order: OrderPlaced) -> bytes:
    """The minimal address: no phone, no e-mail, nothing of the order."""
    to = order.ship_to
    return orjson.dumps(
        {
            "name": to.name,
            "lines": to.lines,
            "city": to.city,
            "postal_code": to.postal_code,
            "country": to.country_code,
        }
    )


def now_rfc3339() -> bytes:
    """The present, as CloudEvents write it."""
    return datetime.now(UTC).isoformat().encode()


def address_headers(order_id: str, time: bytes) -> Headers:
    """The attributes of an `address.assigned`, as Lethe sends them."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{order_id}.1".encode()),
        ("ce_source", b"bench"),
        ("ce_type", b"address.assigned"),
        ("ce_time", time),
        ("content-type", b"application/json"),
    ]


async def send_batches(producer: AIOKafkaProducer, outputs: Sequence[Output]) -> list[Any]:
    """Hand records over in batches built here, cheaper than `send()` one by one; returns what to await."""
    batches: dict[TopicPartition, Any] = {}
    futures = []
    for topic, key, value, headers in outputs:
        target = TopicPartition(topic, zlib.crc32(key) % OUTPUT_PARTITIONS)
        batch = batches.get(target)
        if batch is None:
            batch = batches[target] = producer.create_batch()
        if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
            futures.append(await _send(producer, batch, target))
            batch = batches[target] = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None, headers=headers)
    for target, batch in batches.items():
        futures.append(await _send(producer, batch, target))
    return futures


async def _send(producer: AIOKafkaProducer, batch: Any, target: TopicPartition) -> Any:
    batch.close()
    return await producer.send_batch(batch, target.topic, partition=target.partition)


def offsets_after(records: Mapping[TopicPartition, Sequence[Any]]) -> dict[TopicPartition, int]:
    """The offset of the next record per partition."""
    return {partition: rows[-1].offset + 1 for partition, rows in records.items()}
