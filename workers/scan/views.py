"""What a file holds besides its plain bytes: a decoder is fed the file in order and gives back what it unpacked."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol


class View(NamedTuple):
    """Content that stands in the file in another form.

    `offset` is where in the file it begins, `what` says what it is. Where `seams` are given, its parts stand in the
    file as they are, one by one, and only what lies across a seam (a place in `content`) is news. The first
    `known_bytes` were given before.
    """

    offset: int
    what: str
    content: bytes
    seams: tuple[int, ...] | None = None
    known_bytes: int = 0


class Decoder(Protocol):
    """One file's decoder. `unread` collects what could not be unpacked, in words, with the place."""

    unread: list[str]

    def feed(self, offset: int, piece: bytes) -> Iterator[View]:
        """The next piece of the file, which begins at `offset`."""
        ...

    def finish(self) -> Iterator[View]:
        """The file has ended."""
        ...
