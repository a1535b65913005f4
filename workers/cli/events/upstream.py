"""Publishing as an upstream does: idempotent, acknowledged by every replica, keyed by the customer reference."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from workers.settings import Settings

_IN_FLIGHT = 2000
_MAX_REQUEST_BYTES = 4 << 20


class Outgoing(NamedTuple):
    """One record: key, CloudEvents headers of the binary mode, body."""

    key: bytes
    headers: Sequence[tuple[str, bytes]]
    value: bytes


async def publish(
    settings: Settings,
    topic: str,
    records: Iterable[Outgoing],
    rate_per_s: float | None = None,
    advance: Callable[[int], object] = lambda count: None,
) -> int:
    """Publish every record in order to the topic of this full name; returns how many were acknowledged.

    `advance` is told of each number of records that were acknowledged. Raises LetheError when the broker is away or
    the topic does not exist, aiokafka's errors for what the broker refuses.
    """
    from aiokafka import AIOKafkaProducer

    await require_topic(settings, topic)
    producer = AIOKafkaProducer(
        **settings.kafka_client,
        acks="all",
        enable_idempotence=True,
        linger_ms=5,
        max_batch_size=256 * 1024,
        max_request_size=_MAX_REQUEST_BYTES,
    )
    try:
        await producer.start()
        return await _send(producer, topic, records, rate_per_s, advance)
    finally:
        await producer.stop()


async def _send(
    producer: object,
    topic: str,
    records: Iterable[Outgoing],
    rate_per_s: float | None,
    advance: Callable[[int], object],
) -> int:
    from aiokafka import AIOKafkaProducer

    assert isinstance(producer, AIOKafkaProducer)
    window = _IN_FLIGHT if rate_per_s is None else max(1, min(_IN_FLIGHT, int(rate_per_s / 20)))
    started_s, count = time.monotonic(), 0
    waiting: list[asyncio.Future[object]] = []
    for record in records:
        waiting.append(await producer.send(topic, record.value, key=record.key, headers=list(record.headers)))
        if len(waiting) >= window:
            count += await _settle(waiting, advance)
            if rate_per_s is not None:
                await asyncio.sleep(started_s + count / rate_per_s - time.monotonic())
    return count + await _settle(waiting, advance)


async def _settle(waiting: list[asyncio.Future[object]], advance: Callable[[int], object]) -> int:
    await asyncio.gather(*waiting)
    count = len(waiting)
    waiting.clear()
    advance(count)
    return count


async def require_topic(settings: Settings, topic: str) -> None:
    """Raises LetheError when the broker is away or lacks the topic: clients would wait half a minute for it."""
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    from workers.cli import connections
    from workers.errors import LetheError

    admin = AIOKafkaAdminClient(**settings.kafka_client)
    try:
        await admin.start()
        known = await admin.list_topics()
    except KafkaError as error:
        raise connections.kafka_away(settings, error) from None
    finally:
        await admin.close()
    if topic not in known:
        raise LetheError(f"the topic {topic} does not exist: create it with `lethe topics apply`")
