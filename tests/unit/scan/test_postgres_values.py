"""Values as PostgreSQL lays them out, made by hand: LZ4, which not every server is built with, and torn ones."""

import struct
from pathlib import Path

import cramjam
import pytest

from workers.scan import postgres_values
from workers.scan.scanner import scan

TOKEN = "Q u i x o m a t l"
RAW = (b"again and again " * 40) + TOKEN.encode() + b"again and again " * 40
_LZ4 = 1 << 30


def compressed(raw: bytes) -> bytes:
    packed = bytes(cramjam.lz4.compress_block(raw, store_size=False))
    return struct.pack("<II", (len(packed) + 8) << 2 | 2, len(raw) | _LZ4) + packed


def chunk(value_id: int, number: int, data: bytes) -> bytes:
    """A row of a TOAST table: header of 24 bytes, then its three columns."""
    row = bytes(18) + b"\x03\x00\x02\x08\x18\x00" + struct.pack("<III", value_id, number, len(data) + 4 << 2) + data
    return row + bytes(-len(row) % 8)


def relation(tmp_path: Path, content: bytes) -> list[str]:
    """What is found in a table's file of these bytes."""
    folder = tmp_path / "base" / "5"
    folder.mkdir(parents=True)
    (folder / "16384").write_bytes(content + bytes(-len(content) % 8192))
    return [one.what for one in scan([TOKEN], [tmp_path]).findings]


def test_an_lz4_value_in_a_row_is_found(tmp_path: Path) -> None:
    assert TOKEN.encode() in RAW
    values = list(postgres_values.compressed(bytes(8) + compressed(RAW) + bytes(100), alignment=4))
    assert [(one.start, one.method, one.content) for one in values] == [(8, "lz4", RAW)]


@pytest.mark.parametrize("start", [0, 1, 2, 3])
def test_in_the_wal_a_value_begins_anywhere(start: int) -> None:
    piece = b"\xff" * start + compressed(RAW)
    assert [one.content for one in postgres_values.compressed(piece, alignment=1)] == [RAW]


def test_a_value_whose_end_is_not_there_is_none() -> None:
    assert list(postgres_values.compressed(compressed(RAW)[:-1], alignment=1)) == []


def test_chunks_are_put_together_in_whatever_order_they_stand(tmp_path: Path) -> None:
    token = TOKEN.encode()
    value = b"-" * 1990 + token + b"+" * 3000
    parts = [value[at : at + 1996] for at in range(0, len(value), 1996)]
    content = b"".join(chunk(7, number, parts[number]) for number in (2, 0, 1)) + chunk(8, 1, b"another's")
    assert relation(tmp_path, content) == ["PostgreSQL table or index, TOAST value, over two chunks"]


def test_an_lz4_value_in_toast_is_found(tmp_path: Path) -> None:
    noise = bytes(range(256)) * 4 + bytes(range(255, -1, -1)) * 4
    raw = b"".join(bytes((n * k) % 251 for n in range(1200)) for k in range(1, 12)) + noise + RAW
    packed = compressed(raw)[4:]
    assert len(packed) > 1996
    parts = [packed[at : at + 1996] for at in range(0, len(packed), 1996)]
    found = relation(tmp_path, b"".join(chunk(7, number, part) for number, part in enumerate(parts)))
    assert "PostgreSQL table or index, compressed TOAST value (lz4)" in found


def test_a_value_whose_last_chunk_is_lost_yields_its_beginning(tmp_path: Path) -> None:
    packed = b"\x00" + TOKEN.encode()[:8] + b"\x00" + TOKEN.encode()[8:16] + b"\x00" + TOKEN.encode()[16:] + b"1234567"
    data = struct.pack("<I", 5000) + packed
    assert relation(tmp_path, chunk(7, 0, data)) == ["PostgreSQL table or index, compressed TOAST value (pglz)"]
