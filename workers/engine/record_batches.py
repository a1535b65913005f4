"""Record batches whose header names are not UTF-8 are read all the same.

Kafka's protocol says that a header's name is text, and no broker checks it. aiokafka raises UnicodeDecodeError in the
middle of a fetch, at every attempt: one such record would keep a partition from ever moving again. Here the batch is
then read a second time by slower means, its broken names with U+FFFD in them, and the screening of headers parks the
record with a reason.

`install` replaces the one class of aiokafka (0.14.0, pinned) that parses what a broker sends.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy
from aiokafka.record.util import decode_varint


class ReadRecord(NamedTuple):
    """One record as the fetcher wants it. `timestamp` is in ms; `timestamp_type` 1 stands for LogAppendTime."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    checksum: None = None


class TolerantRecords:
    """What a broker sent of one partition: batches, each parsed by aiokafka's fast reader as long as it can."""

    def __init__(self, sent: bytes) -> None:
        self._fast = MemoryRecords(sent)
        self._slices = _MemoryRecordsPy(sent)

    def has_next(self) -> bool:
        """Whether another whole batch is there."""
        return bool(self._fast.has_next())

    def size_in_bytes(self) -> int:
        """Of everything sent."""
        return int(self._fast.size_in_bytes())

    def next_batch(self) -> Any:
        """The next batch; what its iteration yields has `offset`, `key`, `value`, `headers` and so on."""
        raw = self._slices._next_slice
        self._slices._cache_next()
        batch = self._fast.next_batch()
        return TolerantBatch(batch, raw) if isinstance(batch, DefaultRecordBatch) else batch


class TolerantBatch:
    """One batch of format 2; all but the iteration is aiokafka's."""

    def __init__(self, fast: Any, raw: memoryview | None) -> None:
        self._fast = fast
        self._raw = raw
        self._records: Iterator[Any] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fast, name)

    def __iter__(self) -> Iterator[Any]:
        yielded = 0
        try:
            for record in self._fast:
                yield record
                yielded += 1
        except UnicodeDecodeError:
            assert self._raw is not None
            yield from list(_read(self._raw))[yielded:]

    def __next__(self) -> Any:
        if self._records is None:
            self._records = iter(self)
        return next(self._records)


def install() -> None:
    """From now on every consumer of this process reads through TolerantRecords."""
    fetcher.MemoryRecords = TolerantRecords


def _read(raw: memoryview) -> Iterator[ReadRecord]:
    """Every record of a batch (message format 2, KIP-98 and KIP-82)."""
    batch = _DefaultRecordBatchPy(raw)
    batch._maybe_uncompress()
    buffer, start = batch._buffer, batch._pos
    for _ in range(batch._num_records):
        length, start = decode_varint(buffer, start)
        yield _record(batch, buffer, start)
        start += length


def _record(batch: Any, buffer: bytearray, start: int) -> ReadRecord:
    at_ms, start = decode_varint(buffer, start + 1)  # attributes: unused
    offset, start = decode_varint(buffer, start)
    key, start = _bytes(buffer, start)
    value, start = _bytes(buffer, start)
    count, start = decode_varint(buffer, start)
    headers = []
    for _ in range(count):
        name, start = _bytes(buffer, start)
        said, start = _bytes(buffer, start)
        headers.append(((name or b"").decode("utf-8", "replace"), said))
    by_broker = batch.timestamp_type == batch.LOG_APPEND_TIME
    timestamp = batch.max_timestamp if by_broker else batch.first_timestamp + at_ms
    return ReadRecord(batch.base_offset + offset, timestamp, batch.timestamp_type, key, value, headers)


def _bytes(buffer: bytearray, start: int) -> tuple[bytes | None, int]:
    length, start = decode_varint(buffer, start)
    if length < 0:
        return None, start
    return bytes(buffer[start : start + length]), start + length
