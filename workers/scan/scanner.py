"""Goes through folders and reports every place where a token stands, in whatever form.

A scan is no snapshot: files are read one after the other while others may write. A file that is renamed meanwhile is
met again (files are told apart by their inode), one that vanishes is gone, one that cannot be read is reported as
unread. To show that something is gone, keep writers from moving it about meanwhile, or scan twice.

Files are read, not mapped into memory: a mapped file that is truncated ends the process that reads it.
"""

import errno
import os
import re
import stat
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from workers.errors import UsageError
from workers.scan import containers, places
from workers.scan.matcher import Hit, Matcher
from workers.scan.views import View

PIECE_BYTES = 4 << 20  # a multiple of PostgreSQL's page
_ROUNDS = 5


class Finding(NamedTuple):
    """A token in one form in one file: the first place, and how often. A name is shown without the tokens in it."""

    path: str
    offset: int
    what: str
    token: int
    form: str
    count: int  # type: ignore[assignment]  # hides tuple.count; scripts read the field by this name


class Unread(NamedTuple):
    """Something that was not looked through, and why."""

    path: str
    why: str


class Report(NamedTuple):
    """What a scan has found, and how much it has looked at."""

    findings: tuple[Finding, ...]
    unread: tuple[Unread, ...]
    files: int
    size_bytes: int

    @property
    def is_clean(self) -> bool:
        """Nothing was found, and everything was looked through."""
        return not self.findings and not self.unread


def scan(tokens: Collection[str], folders: Iterable[Path], skip: Collection[Path] = ()) -> Report:
    """Search files and folders for tokens; symbolic links are not followed. `skip` names files to leave out.

    Memory is bounded by the number of tokens, some 100 MiB of content, and one finding per file, token and form.
    Raises UsageError: no token, a short one, a folder that is not there.
    """
    return Scanner(tokens).scan(folders, skip)


class Scanner:
    """Tokens made ready to be searched for; may scan any number of times."""

    def __init__(self, tokens: Collection[str]) -> None:
        if not tokens:
            raise UsageError("nothing to look for: give tokens")
        self._matcher = Matcher(tokens)
        by_length = sorted(enumerate(tokens, 1), key=lambda one: -len(one[1]))
        self._names = [(re.compile(re.escape(token), re.IGNORECASE), number) for number, token in by_length]

    def scan(self, folders: Iterable[Path], skip: Collection[Path] = ()) -> Report:
        """See the function of this name."""
        roots = list(folders)
        if missing := [number for number, root in enumerate(roots, 1) if not root.exists()]:
            raise UsageError(f"there is no folder or file {self._shown(roots[missing[0] - 1])}")
        seen = {_identity(path.stat()) for path in skip if path.exists()}
        findings, unread = list[Finding](), list[Unread]()
        files = size_bytes = 0
        for _ in range(_ROUNDS):  # what was renamed while the first round went through is met in the next one
            fresh = 0
            for path in _files(roots, unread):
                looked = self._look(path, seen, findings, unread)
                fresh += looked is not None
                size_bytes += looked or 0
            files += fresh
            if not fresh:
                break
        return Report(tuple(findings), tuple(dict.fromkeys(unread)), files, size_bytes)

    def _look(
        self, path: Path, seen: set[tuple[int, int]], findings: list[Finding], unread: list[Unread]
    ) -> int | None:
        """Bytes read of a file; None when it was met before or has gone."""
        try:
            with path.open("rb", buffering=0) as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode) or _identity(status) in seen:
                    return None
                seen.add(_identity(status))
                one = _File(path, self._matcher)
                size_bytes = one.read(file.fileno())
        except FileNotFoundError:
            return None
        except OSError as error:
            unread.append(Unread(self._shown(path), error.strerror or type(error).__name__))
            return None
        findings += self._findings(path, one)
        unread += [Unread(self._shown(path), why) for why in one.unread]
        return size_bytes

    def _findings(self, path: Path, one: "_File") -> Iterator[Finding]:
        shown, what = self._shown(path), places.describe(path)
        for hit in self._matcher.find(os.fsencode(path.name)):
            yield Finding(shown, 0, f"{what}: its name", hit.token, hit.form, 1)
        for (where, token, form), (offset, count) in one.found.items():
            yield Finding(shown, offset, f"{what}, {where}" if where else what, token, form, count)

    def _shown(self, path: Path) -> str:
        text = str(path)
        for name, number in self._names:
            text = name.sub(f"<token {number}>", text)
        return text


class _File:
    """One file while it is looked through. `found` counts by place, token and form, with the first offset."""

    def __init__(self, path: Path, matcher: Matcher) -> None:
        self.found: dict[tuple[str, int, str], tuple[int, int]] = {}
        self.unread: list[str] = []
        self._path = path
        self._matcher = matcher
        self._decoder = places.decoder(path, matcher.reach)

    def read(self, descriptor: int) -> int:
        """Look at all of it; returns how many bytes that were."""
        end, size_bytes, tail, head = 0, 0, b"", b""
        # A decoder is given every byte from the first one on; of anything else, holes are known to be zeros.
        pieces = _pieces(descriptor) if self._decoder is not None else _extents(descriptor, self._matcher.reach)
        for offset, piece in pieces:
            tail = tail if offset == end else b""
            head = piece[:8] if offset == 0 else head
            content = tail + piece
            self._note(View(offset - len(tail), "", content), self._new(content, len(tail)))
            if self._decoder is not None:
                self._views(self._decoder.feed(offset, piece))
            end, size_bytes = offset + len(piece), size_bytes + len(piece)
            tail = content[-self._matcher.reach :]
        if self._decoder is not None:
            self._views(self._decoder.finish())
            self.unread += self._decoder.unread
        else:
            self._unpack(head)
        return size_bytes

    def _unpack(self, head: bytes) -> None:
        try:
            self._views(containers.contents(self._path, head, self._matcher.reach))
        except containers.Unreadable as error:
            self.unread.append(str(error))

    def _views(self, views: Iterable[View]) -> None:
        for view in views:
            content, reach = view.content, self._matcher.reach
            for start in range(0, len(content), PIECE_BYTES):
                begin = max(0, start - reach)
                known = max(start, view.known_bytes) - begin
                hits = self._new(content[begin : start + PIECE_BYTES], known)
                moved = (hit._replace(start=hit.start + begin, end=hit.end + begin) for hit in hits)
                self._note(view, (hit for hit in moved if _is_news(hit, view.seams)), within=True)

    def _new(self, content: bytes, known: int) -> Iterator[Hit]:
        """What ends behind the part that was looked at before."""
        return (hit for hit in self._matcher.find(content) if hit.end > known)

    def _note(self, view: View, hits: Iterable[Hit], within: bool = False) -> None:
        for hit in hits:
            key = (view.what, hit.token, hit.form)
            place = view.offset if within else view.offset + hit.start
            first, count = self.found.get(key, (place, 0))
            self.found[key] = (min(first, place), count + 1)


def _is_news(hit: Hit, seams: tuple[int, ...] | None) -> bool:
    """Whether a hit lies across a seam; always, where there is none."""
    if seams is None:
        return True
    number = bisect_right(seams, hit.start)
    return number < len(seams) and seams[number] < hit.end


def _pieces(descriptor: int) -> Iterator[tuple[int, bytes]]:
    """The whole file, in full pieces but for the last one: decoders rely on where a piece begins."""
    offset = 0
    while piece := _piece(descriptor, offset, PIECE_BYTES):
        yield offset, piece
        offset += len(piece)


def _extents(descriptor: int, margin: int) -> Iterator[tuple[int, bytes]]:
    """What was written of a file, with so many of the zeros before and behind as a hole has; in pieces, by offset.

    Kafka makes the indexes of each open segment 10 MiB long and mostly empty: read whole, they are most of its disk.
    """
    offset = 0
    while (start := _seek(descriptor, offset, os.SEEK_DATA)) is not None:
        offset = max(offset, start - margin)
        hole = _seek(descriptor, start, os.SEEK_HOLE) or start
        while piece := _piece(descriptor, offset, min(PIECE_BYTES, hole + margin - offset)):
            yield offset, piece
            offset += len(piece)


def _seek(descriptor: int, offset: int, whence: int) -> int | None:
    """Where data or a hole begins from here on; None where there is none any more. Without an idea of holes a file
    system says that all is data."""
    try:
        return os.lseek(descriptor, offset, whence)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return None


def _piece(descriptor: int, offset: int, length: int) -> bytes:
    """So many bytes; fewer where the file ends."""
    parts, missing = list[bytes](), length
    while missing and (part := os.pread(descriptor, missing, offset)):
        parts.append(part)
        missing -= len(part)
        offset += len(part)
    return b"".join(parts)


def _files(roots: Iterable[Path], unread: list[Unread]) -> Iterator[Path]:
    def failed(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            unread.append(Unread(str(error.filename), error.strerror or type(error).__name__))

    for root in roots:
        if root.is_file():
            yield root
            continue
        for folder, _, names in os.walk(root, onerror=failed):
            for name in sorted(names):
                path = Path(folder, name)
                if not path.is_symlink() and not _is_special(path):
                    yield path


def _is_special(path: Path) -> bool:
    """Sockets and pipes: opening one could wait for ever."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
