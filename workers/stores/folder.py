"""A store that is a folder of exports: CSV and JSON lines. A file is read line by line and replaced as a whole.

Every byte of other people's lines stays as it is. The new file is written beside the old one, flushed to the disk and
moved over it; a file that somebody changes meanwhile is left alone and tried again.
"""

import asyncio
import contextlib
import csv
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, NamedTuple
from uuid import UUID

from pydantic import Field, StringConstraints

from workers.stores import options as reading
from workers.stores.connector import Left, Misconfigured, Person, Unavailable
from workers.stores.connectors import Surroundings
from workers.stores.directory import IdentifierName, Store
from workers.stores.options import Options, What

_DRAFT = ".lethe-draft"


class Files(Options):
    """Files of one form. `keys`: the column, or the dotted path in an object, of each identifier."""

    what: What
    glob: Annotated[str, StringConstraints(min_length=1, pattern=r"^[^/]")]
    format: Literal["csv", "jsonl"]
    keys: Mapping[IdentifierName, str] = Field(min_length=1)
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    encoding: str = "utf-8"


class FolderOptions(Options):
    """The `options` of a folder."""

    path: Path
    files: Annotated[tuple[Files, ...], Field(min_length=1)]


class Entry(NamedTuple):
    """One record of a file: its bytes, and its fields (None for a header)."""

    raw: bytes
    fields: Mapping[str, Any] | None


def connect(store: Store, _surroundings: Surroundings) -> "FolderStore":
    """The connector of this store. Raises Misconfigured."""
    return FolderStore(reading.parse(FolderOptions, store.options))


class FolderStore:
    """Implements `connector.Connector`."""

    def __init__(self, options: FolderOptions) -> None:
        self._options = options

    async def check(self) -> list[str]:
        """How many files there are, and whether they can be replaced."""
        return await asyncio.to_thread(self._check)

    async def find(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        """Read every file."""
        return await asyncio.to_thread(self._go_through, people, False)

    async def erase(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        """Replace every file that holds a line of theirs."""
        return await asyncio.to_thread(self._go_through, people, True)

    async def close(self) -> None:
        """Nothing is held open."""

    def _check(self) -> list[str]:
        lines = []
        for files in self._options.files:
            paths = self._paths(files)
            for path in paths:
                if not os.access(path.parent, os.W_OK):
                    raise Misconfigured(f"{path.parent} cannot be written to: its files cannot be replaced")
            lines.append(f"{len(paths)} files match {files.glob} ({files.format})")
        return lines

    def _paths(self, files: Files) -> list[Path]:
        """The files, none outside of the folder. Drafts that a crash left behind are removed."""
        root = self._options.path
        if not root.is_dir():
            raise Unavailable(f"{root} is no directory: is it mounted?")
        for draft in root.rglob(f"*{_DRAFT}"):
            draft.unlink(missing_ok=True)
        home = root.resolve()
        return [
            path for path in sorted(root.glob(files.glob)) if path.is_file() and path.resolve().is_relative_to(home)
        ]

    def _go_through(self, people: Sequence[Person], erase: bool) -> dict[UUID, Left]:
        counts: dict[UUID, dict[str, int]] = {}
        for files in self._options.files:
            owners = _owners(files, people)
            for path in self._paths(files):
                try:
                    for ref in _erase(path, files, owners) if erase else _find(path, files, owners):
                        theirs = counts.setdefault(ref, {})
                        theirs[files.what] = theirs.get(files.what, 0) + 1
                except OSError as error:
                    raise Unavailable(f"{path.name} could not be read or replaced: {error.strerror}") from None
                except (ValueError, LookupError, csv.Error):
                    raise Unavailable(f"{path.name} does not read as {files.format} ({files.encoding})") from None
        return {ref: Left(theirs) for ref, theirs in counts.items()}


_Owners = Mapping[str, Mapping[str, Sequence[UUID]]]


def _owners(files: Files, people: Sequence[Person]) -> _Owners:
    """By column or path: each value, and whose it is."""
    owners: dict[str, dict[str, list[UUID]]] = {}
    for identifier, place in files.keys.items():
        by_value = owners.setdefault(place, {})
        for person in people:
            for value in person.values(identifier):
                by_value.setdefault(_folded(value), []).append(person.subject_ref)
    return owners


def _find(path: Path, files: Files, owners: _Owners) -> list[UUID]:
    with path.open("rb") as file:
        return [ref for entry in _entries(file, files) for ref in _whose(entry, owners)]


def _erase(path: Path, files: Files, owners: _Owners) -> list[UUID]:
    """Replace the file without their lines; returns whose they were, one entry per line."""
    refs = _find(path, files, owners)
    if not refs:
        return refs
    before = path.stat()
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_DRAFT}")
    try:
        with path.open("rb") as file, draft.open("xb") as new:
            for entry in _entries(file, files):
                if not _whose(entry, owners):
                    new.write(entry.raw)
            new.flush()
            os.fsync(new.fileno())
        shutil.copystat(path, draft)
        with contextlib.suppress(PermissionError):
            os.chown(draft, before.st_uid, before.st_gid)
        now = path.stat()
        if (now.st_mtime_ns, now.st_size, now.st_ino) != (before.st_mtime_ns, before.st_size, before.st_ino):
            raise Unavailable(f"{path.name} was changed while it was read")
        draft.replace(path)
        _flush(path.parent)
    finally:
        draft.unlink(missing_ok=True)
    return refs


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _whose(entry: Entry, owners: _Owners) -> list[UUID]:
    """Whose the record is, each once."""
    if entry.fields is None:
        return []
    refs: dict[UUID, None] = {}
    for place, by_value in owners.items():
        for value in _values(entry.fields, place):
            refs.update(dict.fromkeys(by_value.get(_folded(value), ())))
    return list(refs)


def _values(fields: Mapping[str, Any], place: str) -> Iterator[str]:
    """What stands at a column or dotted path; each entry of a list."""
    if place in fields:
        found: Any = fields[place]
    else:
        found = fields
        for name in place.split("."):
            found = found.get(name) if isinstance(found, dict) else None
    for value in found if isinstance(found, list) else [found]:
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield str(value)


def _folded(value: str) -> str:
    return value.strip().casefold()


def _entries(file: BinaryIO, files: Files) -> Iterator[Entry]:
    """The records with the very bytes that they are written in. Raises ValueError or csv.Error."""
    return _csv_entries(file, files) if files.format == "csv" else _json_entries(file, files)


def _json_entries(file: BinaryIO, files: Files) -> Iterator[Entry]:
    for raw in file:
        if not raw.strip():
            yield Entry(raw, None)
            continue
        fields = json.loads(raw.decode(files.encoding))
        if not isinstance(fields, dict):
            raise ValueError("a line is no object")
        yield Entry(raw, fields)


def _csv_entries(file: BinaryIO, files: Files) -> Iterator[Entry]:
    taken: list[bytes] = []

    def lines() -> Iterator[str]:
        for raw in file:
            taken.append(raw)
            yield raw.decode(files.encoding).removeprefix("\ufeff")

    header: list[str] | None = None
    for row in csv.reader(lines(), delimiter=files.delimiter, strict=True):
        raw = b"".join(taken)
        taken.clear()
        if header is None:
            header = [name.strip() for name in row]
            if missing := [place for place in files.keys.values() if place not in header]:
                raise Misconfigured(f"a file of {files.glob} has no column {missing[0]}")
            yield Entry(raw, None)
        elif row and len(row) != len(header):
            raise ValueError("a line has more or fewer fields than the header")
        else:
            yield Entry(raw, dict(zip(header, row, strict=True)) if row else None)
