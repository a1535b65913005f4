"""Values that PostgreSQL compressed or cut up, found in pages and WAL without asking the catalogue (varatt.h).

Every place that can be the head of such a value is tried, dead rows and holes of pages included: it must decompress
to exactly the size it states. Little-endian machines, pages of 8 KiB.
"""

import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

import cramjam

from workers.scan import pglz
from workers.scan.views import View

_METHODS = {0: "pglz", 1: "lz4"}
_MAX_INLINE_BYTES = 8192
_MAX_RAW_BYTES = 256 << 20
_CHUNK_BYTES = 1996
_HELD_BYTES = 64 << 20
_HEAD_BYTES = 8
# A 4-byte header whose two low bits say "compressed", then the raw size with the method in its two high bits. Both
# expressions begin with one certain byte, which is what makes them fast; the first one's is the header's third.
_COMPRESSED = re.compile(
    rb"\x00(?<=[" + b"".join(re.escape(bytes([n])) for n in range(2, 256, 4)) + rb"][\x00-\x7f]\x00)"
    rb"(?=\x00.{3}[\x00-\x0f\x40-\x4f])",
    re.DOTALL,
)
# A row of a TOAST table: three columns, header of 24 bytes, then chunk id, number, and an uncompressed value.
_CHUNK = re.compile(
    rb"\x03(?=[\x00\x20\x40\x60\x80\xa0\xc0\xe0]..\x18.(....)(..[\x00-\x0f]\x00)(.[\x00-\x1f]\x00\x00))", re.DOTALL
)
_CHUNK_DATA = 18


class Value(NamedTuple):
    """A value that was compressed, and where it stood in the piece."""

    start: int
    end: int
    method: str
    content: bytes


def compressed(piece: bytes, alignment: int) -> Iterator[Value]:
    """Compressed values that lie whole in `piece`; heads stand at multiples of `alignment`."""
    for match in _COMPRESSED.finditer(piece):
        start = match.start() - 2
        size = int.from_bytes(piece[start : start + 4], "little") >> 2
        if start % alignment or not _HEAD_BYTES < size <= _MAX_INLINE_BYTES or start + size > len(piece):
            continue
        if unpacked := _decompress(piece[start + 4 : start + size]):
            yield Value(start, start + size, *unpacked)


def _decompress(data: bytes, partial: bool = False) -> tuple[str, bytes] | None:
    """`data` begins with the raw size and the method, as it does in a row and in a TOAST table alike."""
    info = int.from_bytes(data[:4], "little")
    raw_size, method, packed = info & 0x3FFFFFFF, info >> 30, data[4:]
    if not len(packed) < raw_size <= _MAX_RAW_BYTES or method not in _METHODS:
        return None
    content = pglz.decompress(packed, raw_size, partial) if method == 0 else _lz4(packed, raw_size)
    return (_METHODS[method], content) if content else None


def _lz4(packed: bytes, raw_size: int) -> bytes | None:
    try:
        content = bytes(cramjam.lz4.decompress_block(packed, output_len=raw_size))
    except cramjam.DecompressionError:
        return None
    return content if len(content) == raw_size else None


class ToastValues:
    """Puts values together that stand in pieces in a TOAST table; holds 64 MiB of them at most."""

    def __init__(self) -> None:
        self._values: OrderedDict[int, dict[int, tuple[int, bytes]]] = OrderedDict()
        self._held_bytes = 0

    def take(self, offset: int, piece: bytes) -> Iterator[View]:
        """The chunks that lie whole in `piece`; gives back the oldest values when they become too many."""
        for match in _CHUNK.finditer(piece):
            start = match.start() + _CHUNK_DATA
            end = start - 4 + (int.from_bytes(match[3], "little") >> 2)
            if match[3][0] & 3 or not start < end <= start + _CHUNK_BYTES or end > len(piece):
                continue
            chunks = self._values.setdefault(int.from_bytes(match[1], "little"), {})
            number = int.from_bytes(match[2], "little")
            if number not in chunks:
                self._held_bytes += end - start
            chunks[number] = (offset + start, piece[start:end])
        while self._held_bytes > _HELD_BYTES:
            yield from self._put_together(self._values.popitem(last=False)[1])

    def finish(self) -> Iterator[View]:
        """All that is left."""
        while self._values:
            yield from self._put_together(self._values.popitem(last=False)[1])

    def _put_together(self, chunks: dict[int, tuple[int, bytes]]) -> Iterator[View]:
        """One view per run of consecutive chunks; what begins with the first may be compressed."""
        self._held_bytes -= sum(len(content) for _, content in chunks.values())
        run: list[int] = []
        for number in [*sorted(chunks), -1]:
            if run and number != run[-1] + 1:
                parts = [chunks[one][1] for one in run]
                yield from _run_views(chunks[run[0]][0], parts, from_start=run[0] == 0)
                run = []
            run.append(number)


def _run_views(offset: int, parts: list[bytes], from_start: bool) -> Iterator[View]:
    content = b"".join(parts)
    if len(parts) > 1:
        seams = tuple(_CHUNK_BYTES * number for number in range(1, len(parts)))
        yield View(offset, "TOAST value, over two chunks", content, seams)
    if from_start and (unpacked := _decompress(content) or _decompress(content, partial=True)):
        yield View(offset, f"compressed TOAST value ({unpacked[0]})", unpacked[1])
