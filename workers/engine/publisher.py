"""Publication: records and the position they came from, in one Kafka transaction.

One publisher per source of records, each with a transactional id that names the source: whoever opens it next fences
the one before (KIP-98), which holds across `kill -9` and rebalances alike. aiokafka's transactions are not fenced by
group generation (it speaks TxnOffsetCommit v0, before KIP-447), so the id must not depend on the worker.
"""

import asyncio
import contextlib
import zlib
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from workers.engine.outbox import Publication
from workers.settings import Settings

_BATCH_SIZE_BYTES = 1 << 20
_CLOSE_TIMEOUT_S = 3
# A transaction right behind another one finds the first one's markers still being written, and is told to come back:
# with aiokafka's 100 ms that would be the latency of every busy lane.
_RETRY_BACKOFF_MS = 5

KAFKA_ERRORS = (KafkaError, OSError, asyncio.TimeoutError, AssertionError)
"""What a publication may raise. AssertionError: aiokafka's way to refuse a state change after a failed transaction."""


class Publisher:
    """Publishes to any topic, exactly once for readers of committed records, from one source position."""

    def __init__(self, transactional_id: str, group: str, source: TopicPartition, settings: Settings) -> None:
        self._id = transactional_id
        self._group = group
        self._source = source
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None

    async def open(self) -> int | None:
        """Fence the predecessor, end its transaction; returns the published position, None when there is none."""
        producer = AIOKafkaProducer(
            **self._settings.kafka_client,
            transactional_id=self._id,
            transaction_timeout_ms=int(self._settings.transaction_timeout_s * 1000),
            acks="all",
            linger_ms=0,
            max_batch_size=_BATCH_SIZE_BYTES,
            request_timeout_ms=20_000,
            retry_backoff_ms=_RETRY_BACKOFF_MS,
        )
        self._producer = producer
        await producer.start()
        return await self._published()

    async def publish(self, records: Sequence[Publication], position: int) -> None:
        """Commit the records together with `position`. After any error the publisher must be closed and reopened:
        the outcome is then unknown, and `open` tells."""
        producer = self._opened()
        await producer.begin_transaction()
        # The position goes first: where a transaction begins with records, aiokafka waits 20 ms whenever the markers of
        # the transaction before are still being written; where it begins with offsets, our own short back-off.
        await producer.send_offsets_to_transaction({self._source: position}, self._group)
        await asyncio.gather(*await self._send(producer, records))

    async def commit(self) -> None:
        """End the transaction that `publish` filled."""
        await self._opened().commit_transaction()

    async def close(self) -> None:
        """Let go of the connection; an open transaction is left to the next `open`, which aborts it."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(*KAFKA_ERRORS):
                await asyncio.wait_for(producer.stop(), _CLOSE_TIMEOUT_S)

    def _opened(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise KafkaError("the publisher is closed")
        return self._producer

    async def _send(self, producer: AIOKafkaProducer, records: Sequence[Publication]) -> list[asyncio.Future[object]]:
        batches: dict[TopicPartition, BatchBuilder] = {}
        futures = []
        counts: dict[str, int] = {}
        for topic, key, value, headers in records:
            count = counts.get(topic)
            if count is None:
                count = counts[topic] = len(await producer.partitions_for(topic))
            target = TopicPartition(topic, partition_of(key, count))
            batch = batches.get(target)
            if batch is None:
                batch = batches[target] = producer.create_batch()
            if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                futures.append(await _close_and_send(producer, batch, target))
                batch = batches[target] = producer.create_batch()
                batch.append(key=key, value=value, timestamp=None, headers=headers)
        for target, batch in batches.items():
            futures.append(await _close_and_send(producer, batch, target))
        return futures

    async def _published(self) -> int | None:
        admin = AIOKafkaAdminClient(**self._settings.kafka_client)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(self._group, partitions=[self._source])
        finally:
            await admin.close()
        found = offsets.get(self._source)
        return None if found is None or found.offset < 0 else int(found.offset)


def partition_of(key: bytes, partition_count: int) -> int:
    """The partition of a key: CRC-32, as librdkafka's `consistent` partitioner does it."""
    return zlib.crc32(key) % partition_count


async def _close_and_send(
    producer: AIOKafkaProducer, batch: BatchBuilder, target: TopicPartition
) -> asyncio.Future[object]:
    batch.close()
    future: asyncio.Future[object] = await producer.send_batch(batch, target.topic, partition=target.partition)
    return future
