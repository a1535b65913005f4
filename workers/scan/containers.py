"""Compressed files: logs that were rotated, exports, archives. Told by their first bytes, not by their names."""

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Protocol

import cramjam

from workers.scan.views import View

PIECE_BYTES = 4 << 20
_MAX_AT_ONCE_BYTES = 256 << 20


class _Stream(Protocol):
    """What is unpacked while it is read."""

    def read(self, size: int = -1, /) -> bytes: ...


_STREAMS: Mapping[bytes, tuple[str, Callable[[IO[bytes]], _Stream]]] = {
    b"\x1f\x8b": ("gzip", lambda raw: gzip.GzipFile(fileobj=raw)),
    b"BZh": ("bzip2", bz2.BZ2File),
    b"\xfd7zXZ\x00": ("xz", lzma.LZMAFile),
}
_ZIP, _ZSTD = b"PK\x03\x04", b"\x28\xb5\x2f\xfd"


class Unreadable(Exception):
    """It begins like a compressed file, and cannot be unpacked to its end."""


def contents(path: Path, head: bytes, reach: int) -> Iterator[View]:
    """What a compressed file holds, in pieces that overlap by `reach`; nothing for any other file.

    What is compressed once more inside is not unpacked. Raises Unreadable, OSError.
    """
    for magic, (name, opened) in _STREAMS.items():
        if head.startswith(magic):
            with path.open("rb") as raw:
                yield from _unpacked(name, opened(raw), reach)
    if head.startswith(_ZSTD):
        yield from _zstd(path)
    if head.startswith(_ZIP):
        yield from _members(path, reach)


def _unpacked(name: str, stream: _Stream, reach: int) -> Iterator[View]:
    tail, offset = b"", 0
    try:
        while piece := stream.read(PIECE_BYTES):
            content = tail + piece
            yield View(offset - len(tail), f"inside {name}", content, known_bytes=len(tail))
            offset += len(piece)
            tail = content[-reach:]
    except (OSError, EOFError, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, ValueError) as error:
        raise Unreadable(f"{name}: {type(error).__name__} after {offset} bytes") from None


def _members(path: Path, reach: int) -> Iterator[View]:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                with archive.open(member) as stream:
                    yield from _unpacked("zip", stream, reach)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise Unreadable(f"zip: {type(error).__name__}") from None


def _zstd(path: Path) -> Iterator[View]:
    if path.stat().st_size > _MAX_AT_ONCE_BYTES:
        raise Unreadable("zstd: larger than 256 MiB")
    try:
        yield View(0, "inside zstd", bytes(cramjam.zstd.decompress(path.read_bytes())))
    except cramjam.DecompressionError:
        raise Unreadable("zstd: does not decompress") from None
