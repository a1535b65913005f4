"""Kafka's record batches, unpacked (message format 2, KIP-98; older batches likewise named when they are met)."""

import struct
from collections.abc import Callable, Iterator, Mapping

from aiokafka import codec
from aiokafka.record.util import calc_crc32c

from workers.scan.views import View

_HEADER = struct.Struct(">qiibIh")  # base offset, length, leader epoch, magic, CRC, attributes
_CRC = struct.Struct(">I")
_CRC_AT, _CHECKED_FROM = 17, 21
_RECORDS_START = 61
_LENGTH_OF = 12
_MAX_BATCH_BYTES = 256 << 20
_CODECS: Mapping[int, tuple[str, Callable[[bytes], bytes]]] = {
    1: ("gzip", codec.gzip_decode),
    2: ("snappy", codec.snappy_decode),
    3: ("lz4", codec.lz4_decode),
    4: ("zstd", codec.zstd_decode),
}


class KafkaBatches:
    """Walks a segment from batch to batch and unpacks the compressed ones; the others stand there as they are."""

    def __init__(self) -> None:
        self.unread: list[str] = []
        self._pending = bytearray()
        self._offset = 0  # of the file, where `_pending` begins
        self._skip = 0
        self._lost = False

    def feed(self, offset: int, piece: bytes) -> Iterator[View]:
        """See Decoder."""
        skipped = min(self._skip, len(piece))
        self._skip -= skipped
        self._pending += piece[skipped:]
        if not self._pending or self._lost:
            self._pending.clear()
            return
        self._offset = offset + len(piece) - len(self._pending)
        taken = 0
        while (size := self._size(taken)) and (view := self._unpack(taken, size)) is not None:
            taken += size
            if view.content:
                yield view
        self._skip = max(0, taken - len(self._pending))
        del self._pending[:taken]

    def finish(self) -> Iterator[View]:
        """See Decoder. What is left is a batch that was being written."""
        yield from ()

    def _size(self, start: int) -> int:
        """Of the batch at `start`; 0 when its header is not there yet, or when this is no batch."""
        if self._lost or len(self._pending) - start < _RECORDS_START:
            return 0
        _, length, _, magic, _, _ = _HEADER.unpack_from(self._pending, start)
        if magic == 2 and _RECORDS_START - _LENGTH_OF <= length <= _MAX_BATCH_BYTES:
            return int(length) + _LENGTH_OF
        self._lost = True
        if any(self._pending[start:]):  # zeros: a file longer than what was written into it
            self.unread.append(f"no record batch at {self._offset + start}: from there on, nothing was decompressed")
        return 0

    def _unpack(self, start: int, size: int) -> View | None:
        """The batch's records; empty where they are not compressed, None where not all of it is there yet."""
        *_, attributes = _HEADER.unpack_from(self._pending, start)
        place = self._offset + start
        if not attributes & 7:
            return View(place, "", b"")
        if len(self._pending) - start < size:
            return None
        name, decompress = _CODECS.get(attributes & 7, (f"codec {attributes & 7}", None))
        batch = bytes(self._pending[start : start + size])
        try:
            if decompress is None or calc_crc32c(batch[_CHECKED_FROM:]) != _CRC.unpack_from(batch, _CRC_AT)[0]:
                raise ValueError("damaged")  # some of it might decompress all the same, to something else
            records = decompress(batch[_RECORDS_START:])
        except Exception as error:  # whatever a broken batch makes a decompressor raise
            self.unread.append(f"record batch at {place} ({name}) does not decompress: {type(error).__name__}")
            return View(place, "", b"")
        return View(place, f"record batch at {place} ({name})", records)
