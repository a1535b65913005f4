"""The files of a keyring directory: written durably, destroyed for good.

    <dir>/epochs/<n>.key        key-encryption keys (KEK), 32 bytes as hex
    <dir>/lookup/<purpose>.key  keys of look-up hashes, one per purpose
    <dir>/destroyed/<n>         one empty file per destroyed epoch: a list that is only ever added to

An epoch is listed before its file is overwritten: a file of a listed epoch, whether a crash left it or a restored
backup brought it back, is never used and is destroyed when the directory is next read.

Overwriting in place reaches the bytes on a plain file system on a plain disk. Copy-on-write file systems and flash
may keep old blocks: put the keyring on an encrypted volume, as the README says.
"""

import contextlib
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from workers.engine import crashpoints
from workers.errors import UsageError
from workers.log import logger

_LOG = logger(__name__)
_EPOCH_FILE = re.compile(r"^(\d{1,9})\.key$")
_DRAFT = re.compile(r"^(\d{1,9})\.key\.[0-9a-f]+\.new$")
_LISTED = re.compile(r"^(\d{1,9})$")
_KEY_SIZE_BYTES = 32


def create(directory: Path, purposes: Iterable[str]) -> None:
    """Make the directory, its first epoch and the look-up keys where they are missing. Never overwrites a key."""
    epochs, lookups = directory / "epochs", directory / "lookup"
    for folder in (directory, epochs, lookups, directory / "destroyed"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _numbered(epochs, _EPOCH_FILE) and not destroyed(directory):
        create_epoch(directory, 1)
    for purpose in purposes:
        write_key(lookups / f"{purpose}.key")


def create_epoch(directory: Path, number: int) -> None:
    """Make the key of an epoch, durably. One that is there already stays."""
    write_key(directory / "epochs" / f"{number}.key")


def read_epochs(directory: Path) -> dict[int, bytes]:
    """The keys of the epochs that were not destroyed. Raises OSError, UsageError.

    Files of destroyed epochs are destroyed again: a backup brought them back, a process died while it destroyed
    them, or one does so this moment.
    """
    gone = destroyed(directory)
    files = _numbered(directory / "epochs", _EPOCH_FILE)
    for number in gone & files.keys():
        _LOG.warning("destroyed_epoch_destroyed_again", epoch=number)
        try:
            destroy(directory, number)
        except OSError as error:
            _LOG.error("destroyed_epoch_not_removed", epoch=number, error=type(error).__name__)
    return {number: read_key(path) for number, path in files.items() if number not in gone}


def read_lookup(directory: Path, purpose: str) -> bytes:
    """The look-up key of a purpose. Raises OSError, UsageError."""
    return read_key(directory / "lookup" / f"{purpose}.key")


def destroyed(directory: Path) -> frozenset[int]:
    """The epochs on the list of the destroyed."""
    folder = directory / "destroyed"
    return frozenset(_numbered(folder, _LISTED)) if folder.is_dir() else frozenset()


def destroy(directory: Path, number: int) -> None:
    """List the epoch as destroyed, overwrite its file, remove it. Repeating it finishes what a crash cut short."""
    listed = directory / "destroyed"
    if not listed.is_dir():
        listed.mkdir(mode=0o700)
        sync(directory)
    os.close(os.open(listed / str(number), os.O_WRONLY | os.O_CREAT, 0o600))
    sync(listed)
    crashpoints.reach("rotation.listed")
    epochs = directory / "epochs"
    left = [path for path in epochs.iterdir() if (match := _DRAFT.match(path.name)) and int(match[1]) == number]
    for path in (epochs / f"{number}.key", *left):
        with contextlib.suppress(FileNotFoundError):
            _overwrite(path)
            crashpoints.reach("rotation.overwritten")
            path.unlink()
    sync(epochs)
    crashpoints.reach("rotation.unlinked")


def read_key(path: Path) -> bytes:
    """One key. Raises OSError, UsageError."""
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != _KEY_SIZE_BYTES:
        raise UsageError(f"{path.name} in the keyring is not a key of {_KEY_SIZE_BYTES} bytes in hex")
    return key


def _numbered(folder: Path, name: re.Pattern[str]) -> dict[int, Path]:
    matches = ((name.match(path.name), path) for path in folder.iterdir())
    return {int(match[1]): path for match, path in matches if match}


def _overwrite(path: Path) -> None:
    """In place, so that every hard link and the blocks themselves lose the key."""
    with path.open("r+b") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        file.write(os.urandom(size_bytes))
        file.flush()
        os.fsync(file.fileno())


def write_key(path: Path) -> None:
    """Write a new random key, readable by its owner alone, durably. An existing file is left as it is."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")  # a crash may have left another one behind
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(os.urandom(_KEY_SIZE_BYTES).hex())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    sync(path.parent)  # the name as well: a database must not outlive the only key to it


def sync(folder: Path) -> None:
    """Make names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
