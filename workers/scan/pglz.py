"""PostgreSQL's own compression (src/common/pg_lzcompress.c): only the way back."""


def decompress(data: bytes, raw_size: int, partial: bool = False) -> bytes | None:
    """The `raw_size` bytes that `data` was made of; None when it was not made by pglz.

    With `partial`, whatever the beginning of such data yields.
    """
    out = bytearray()
    at, end = 0, len(data)
    while at < end and len(out) < raw_size:
        control = data[at]
        at += 1
        for bit in range(8):
            if at >= end or len(out) >= raw_size:
                break
            if not control >> bit & 1:
                out.append(data[at])
                at += 1
                continue
            if at + 1 >= end:
                return bytes(out) if partial else None
            length, distance = (data[at] & 0x0F) + 3, (data[at] & 0xF0) << 4 | data[at + 1]
            at += 2
            if length == 18:
                if at >= end:
                    return bytes(out) if partial else None
                length += data[at]
                at += 1
            if not 0 < distance <= len(out):
                return None
            _copy(out, distance, min(length, raw_size - len(out)))
    complete = len(out) == raw_size and at == end
    return bytes(out) if complete or partial else None


def _copy(out: bytearray, distance: int, length: int) -> None:
    """Bytes from `distance` back; where they overlap what is being written, they repeat."""
    while length > 0:
        piece = out[-distance:][:length]
        out += piece
        length -= len(piece)
        distance += len(piece)
