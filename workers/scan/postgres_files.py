"""PostgreSQL's tables and indexes page by page, and its write-ahead log without the headers between its pages."""

from collections.abc import Iterator

from workers.scan import postgres_values
from workers.scan.views import View

PAGE_BYTES = 8192
_WAL_MAGIC_HIGH_BYTE = 0xD1
_LONG_HEADER_FLAG = 0x0002
_LONG_HEADER_BYTES, _HEADER_BYTES = 40, 24
_CARRIED_BYTES = PAGE_BYTES + 64


class PostgresPages:
    """A relation's file: compressed values in rows and index entries, values cut up in TOAST tables."""

    def __init__(self) -> None:
        self.unread: list[str] = []
        self._toast = postgres_values.ToastValues()

    def feed(self, offset: int, piece: bytes) -> Iterator[View]:
        """See Decoder; pieces begin at a page's start."""
        for value in postgres_values.compressed(piece, alignment=4):
            yield View(offset + value.start, f"compressed value ({value.method})", value.content)
        yield from self._toast.take(offset, piece)

    def finish(self) -> Iterator[View]:
        """See Decoder."""
        yield from self._toast.finish()


class WalPages:
    """A WAL file: its pages' headers cut records in two, and rows in it stand at any byte.

    Offsets of what is found here are those of a page that it lies in. Not looked at: full-page images compressed by
    `wal_compression` (off by default), and what the end of one WAL file cuts from the beginning of the next.
    """

    def __init__(self, reach: int) -> None:
        self.unread: list[str] = []
        self._reach = reach
        self._carried = b""
        self._toast = postgres_values.ToastValues()

    def feed(self, offset: int, piece: bytes) -> Iterator[View]:
        """See Decoder; pieces begin at a page's start."""
        stream, seams = bytearray(self._carried), list[tuple[int, int]]()
        for start in range(0, len(piece), PAGE_BYTES):
            page = piece[start : start + PAGE_BYTES]
            seams.append((len(stream), offset + start))
            stream += page[_header_bytes(page) :]
        content = bytes(stream)
        for seam, place in seams:
            left = max(0, seam - self._reach)
            yield View(place, "over two WAL pages", content[left : seam + self._reach], (seam - left,))
        for value in postgres_values.compressed(content, alignment=1):
            if value.end <= len(self._carried):
                continue  # found before
            place = max((place for seam, place in seams if seam <= value.start), default=offset)
            yield View(place, f"compressed value ({value.method})", value.content)
        yield from self._toast.take(offset, content)
        self._carried = content[-_CARRIED_BYTES:]

    def finish(self) -> Iterator[View]:
        """See Decoder."""
        yield from self._toast.finish()


def _header_bytes(page: bytes) -> int:
    """0 where the page has none: a file that was prepared and is not written yet."""
    if len(page) < _LONG_HEADER_BYTES or page[1] != _WAL_MAGIC_HIGH_BYTE:
        return 0
    return _LONG_HEADER_BYTES if int.from_bytes(page[2:4], "little") & _LONG_HEADER_FLAG else _HEADER_BYTES
