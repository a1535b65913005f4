"""The keyring: a directory outside PostgreSQL and outside its backups, read into memory (`key_files` has its layout).

Destroying an epoch's file makes every copy of a data key that it wrapped unreadable: in dead tuples, WAL, replicas
and backups alike. That is why the files live here and not in the database.
"""

import hashlib
from collections.abc import Callable, Collection
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from workers.errors import KeyMissing, KeyNotHere, UsageError
from workers.log import logger
from workers.vault import key_files

LOOKUP_PURPOSES = ("subject-reference", "event", "dead-letter", "email", "suppression", "token", "mail-link", "flood")
_LOG = logger(__name__)
_LOOKUP_SIZE_BYTES = 16


class Keyring:
    """Keys in memory. Epochs that appear later are read when they are first needed.

    `current_epoch` is the one to wrap new data keys under, as far as is known here: the database decides (`epochs`).
    `reread` reads the directory again; None where there is none.
    """

    def __init__(
        self, epochs: dict[int, bytes], lookups: dict[str, bytes], reread: Callable[[], dict[int, bytes]] | None = None
    ) -> None:
        self._ciphers = {number: AESGCM(key) for number, key in epochs.items()}
        self._lookups = {
            purpose: hashlib.blake2b(key=key, digest_size=_LOOKUP_SIZE_BYTES) for purpose, key in lookups.items()
        }
        self._reread = reread
        self.current_epoch = max(epochs)

    @property
    def epochs(self) -> frozenset[int]:
        """Those whose keys are in memory."""
        return frozenset(self._ciphers)

    def kek(self, epoch: int) -> AESGCM:
        """The cipher of one epoch, to wrap and unwrap data keys.

        Raises KeyNotHere for an epoch newer than those known here, KeyMissing for one that is gone.
        """
        cipher = self._ciphers.get(epoch)
        if cipher is None:
            newest = max(self._ciphers)
            self._read_again()
            cipher = self._ciphers.get(epoch)
            if cipher is None and epoch > newest:
                raise KeyNotHere(
                    f"key epoch {epoch} is not in this keyring yet: it was made by a rotation elsewhere; every host "
                    "needs the same keyring_dir"
                )
        if cipher is None:
            raise KeyMissing(
                f"key epoch {epoch} is not in the keyring: the database refers to a key that was destroyed or "
                "never copied here; check keyring_dir. After restoring a backup of the database run `lethe restore`"
            )
        return cipher

    def wrap_under(self, epoch: int) -> None:
        """Wrap new data keys under this epoch from now on. Raises KeyNotHere, KeyMissing."""
        self.kek(epoch)
        self.current_epoch = epoch

    def forget(self, epochs: Collection[int]) -> None:
        """Drop destroyed epochs from memory, as far as Python lets go of bytes."""
        for epoch in epochs:
            if epoch != self.current_epoch:
                self._ciphers.pop(epoch, None)

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

    def _read_again(self) -> None:
        """Add what is new in the directory. One that cannot be read just now adds nothing."""
        if self._reread is None:
            return
        try:
            found = self._reread()
        except (OSError, UsageError) as error:
            _LOG.warning("keyring_not_read", error=type(error).__name__)
            return
        self._ciphers |= {number: AESGCM(key) for number, key in found.items() if number not in self._ciphers}


def create(directory: Path) -> None:
    """Make the directory, its first epoch and the look-up keys where they are missing. Never overwrites a key."""
    key_files.create(directory, LOOKUP_PURPOSES)


def load(directory: Path) -> Keyring:
    """Read the whole directory. Raises UsageError when it is missing, unreadable or incomplete."""
    try:
        epochs = key_files.read_epochs(directory)
        lookups = {purpose: key_files.read_lookup(directory, purpose) for purpose in LOOKUP_PURPOSES}
    except OSError as error:
        raise UsageError(
            f"the keyring cannot be read ({error.strerror}: {error.filename}); "
            "create it once with `lethe migrate`, or point LETHE_KEYRING_DIR at it"
        ) from None
    if not epochs:
        raise UsageError("the keyring holds no key epoch; create it once with `lethe migrate`")
    return Keyring(epochs, lookups, lambda: key_files.read_epochs(directory))
