"""Record batches as a careless client writes them: header names that are not UTF-8."""

import struct
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from tests.support.orders import Published
from workers.settings import Settings

MARKER = "x-to-be-broken"
BROKEN = b"\xff\xfeto-be-broken"
_CRC = struct.Struct(">I")
_CRC_OFFSET = struct.calcsize(">qiib")
_CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


def batch(events: Sequence[Published], codec: str = "none") -> bytes:
    """The events as one batch of message format 2; each header called MARKER gets a name that is not UTF-8."""
    plain = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 20)
    for number, one in enumerate(events):
        plain.append(number, 1, one.key, one.value, headers=list(one.headers))
    broken = bytearray(plain.build()).replace(MARKER.encode(), BROKEN)
    if codec != "none":
        from aiokafka import codec as codecs

        compress = getattr(codecs, f"{codec}_encode")
        head = struct.calcsize(">qiibIhiqqqhii")
        broken = broken[:head] + compress(bytes(broken[head:]))
        struct.pack_into(">i", broken, 8, len(broken) - 12)
        struct.pack_into(">h", broken, _CRC_OFFSET + 4, _CODECS[codec])
    _CRC.pack_into(broken, _CRC_OFFSET, calc_crc32c(memoryview(broken)[_CRC_OFFSET + 4 :]))
    return bytes(broken)


class _Built(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, built: bytes, count: int) -> None:
        super().__init__(1 << 20, 0)
        self._buffer = bytearray(built)
        self._relative_offset = count


async def publish(settings: Settings, events: Sequence[Published], partition: int, codec: str = "none") -> None:
    """Send them as one batch to one partition of `orders`."""
    producer = AIOKafkaProducer(**settings.kafka_client, acks="all")
    await producer.start()
    try:
        built = _Built(batch(events, codec), len(events))
        built.close()
        await (await producer.send_batch(built, settings.topic("orders"), partition=partition))
    finally:
        await producer.stop()
