"""The keyring: a directory outside PostgreSQL and outside its backups.

    <dir>/epochs/<n>.key      key-encryption keys (KEK), 32 bytes as hex; the highest number wraps new data keys
    <dir>/lookup/<purpose>.key  keys of look-up hashes, one per purpose

Destroying an epoch's file makes every copy of a data key that it wrapped unreadable: in dead tuples, WAL, replicas
and backups alike. That is why the files live here and not in the database.
"""

import contextlib
import hashlib
import os
import re
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from workers.errors import KeyMissing, UsageError

LOOKUP_PURPOSES = ("subject-reference", "event", "dead-letter", "email", "suppression", "token", "mail-link", "flood")
_EPOCH_FILE = re.compile(r"^(\d{1,9})\.key$")
_KEY_SIZE_BYTES = 32
_LOOKUP_SIZE_BYTES = 16


class Keyring:
    """Keys read once from a keyring directory.

    Raises KeyMissing when an epoch is asked for that the directory does not hold.
    """

    def __init__(self, epochs: dict[int, bytes], lookups: dict[str, bytes]) -> None:
        self._ciphers = {number: AESGCM(key) for number, key in epochs.items()}
        self._lookups = {
            purpose: hashlib.blake2b(key=key, digest_size=_LOOKUP_SIZE_BYTES) for purpose, key in lookups.items()
        }
        self.current_epoch = max(epochs)

    def kek(self, epoch: int) -> AESGCM:
        """The cipher of one epoch, to wrap and unwrap data keys."""
        try:
            return self._ciphers[epoch]
        except KeyError:
            raise KeyMissing(
                f"key epoch {epoch} is not in the keyring: the database refers to a key that was destroyed or "
                "never copied here; check keyring_dir, or restore that epoch's file if it was lost by mistake"
            ) from None

    def lookup_hash(self, purpose: str, value: bytes) -> bytes:
        """A keyed hash of `value` under the key of `purpose`: 16 bytes. Still personal data (a pseudonym).

        BLAKE2b in keyed mode (RFC 7693, 2.9) is a MAC as HMAC is, at half the cost.
        """
        hash_ = self._lookups[purpose].copy()  # the key is in it already
        hash_.update(value)
        return hash_.digest()

    def check_value(self, purpose: str) -> bytes:
        """A hash that only this look-up key makes: tells a wrong keyring before any row is written."""
        return self.lookup_hash(purpose, b"lethe keyring check")


def create(directory: Path) -> None:
    """Make the directory, its first epoch and the look-up keys where they are missing. Never overwrites a key."""
    epochs, lookups = directory / "epochs", directory / "lookup"
    for folder in (directory, epochs, lookups):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _epoch_files(epochs):
        write_key(epochs / "1.key")
    for purpose in LOOKUP_PURPOSES:
        write_key(lookups / f"{purpose}.key")


def load(directory: Path) -> Keyring:
    """Read the whole directory. Raises UsageError when it is missing, unreadable or incomplete."""
    try:
        epochs = {number: read_key(path) for number, path in _epoch_files(directory / "epochs").items()}
        lookups = {purpose: read_key(directory / "lookup" / f"{purpose}.key") for purpose in LOOKUP_PURPOSES}
    except OSError as error:
        raise UsageError(
            f"the keyring cannot be read ({error.strerror}: {error.filename}); "
            "create it once with `lethe migrate`, or point LETHE_KEYRING_DIR at it"
        ) from None
    if not epochs:
        raise UsageError("the keyring holds no key epoch; create it once with `lethe migrate`")
    return Keyring(epochs, lookups)


def _epoch_files(folder: Path) -> dict[int, Path]:
    matches = ((_EPOCH_FILE.match(path.name), path) for path in folder.iterdir())
    return {int(match[1]): path for match, path in matches if match}


def read_key(path: Path) -> bytes:
    """The 32 bytes of a key file. Raises OSError, or UsageError when it holds something else."""
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != _KEY_SIZE_BYTES:
        raise UsageError(f"{path.name} in the keyring is not a key of {_KEY_SIZE_BYTES} bytes in hex")
    return key


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
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name as well: a database must not outlive the only key to it
    finally:
        os.close(folder)
