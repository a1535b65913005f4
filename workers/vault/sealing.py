"""Seal and unseal: AES-256-GCM under a subject's data key, bound to the place where the value stands.

Associated data is `table|column|subject|record`, so that a sealed value cannot be moved to another row, column or
person and still open. A data key is wrapped by a key epoch with GCM (NIST SP 800-38D; a random 96-bit nonce is safe
for 2^32 values per key, which one subject cannot reach).
"""

import os
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_SIZE_BYTES = 12
_KEY_SIZE_BYTES = 32
_NONCES_DRAWN = 512


def _random_nonces() -> Iterator[bytes]:
    """Fresh random nonces, drawn many at a time: a call of the kernel each costs as much as the cipher."""
    while True:
        drawn = os.urandom(_NONCE_SIZE_BYTES * _NONCES_DRAWN)
        for start in range(0, len(drawn), _NONCE_SIZE_BYTES):
            yield drawn[start : start + _NONCE_SIZE_BYTES]


_nonces = _random_nonces()


class Unreadable(Exception):
    """A sealed value does not open: its key was shredded, or it was moved or altered."""


class DataKey:
    """A data key in memory, ready to seal and unseal."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, plaintext: bytes, place: bytes) -> bytes:
        """`plaintext` sealed for `place` (see `place()`): nonce, ciphertext and tag."""
        nonce = next(_nonces)
        return nonce + self._cipher.encrypt(nonce, plaintext, place)

    def unseal(self, sealed: bytes, place: bytes) -> bytes:
        """The plaintext. Raises Unreadable when the key, the place or a bit is wrong."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_SIZE_BYTES], sealed[_NONCE_SIZE_BYTES:], place)
        except (InvalidTag, ValueError):  # ValueError: cut short, not even a nonce is left
            raise Unreadable("a sealed value does not open under its key") from None


def place(table: str, column: str, subject: int | str, record: str) -> bytes:
    """Associated data: where a sealed value stands."""
    return f"{table}|{column}|{subject}|{record}".encode()


def new_wrapped_key(kek: AESGCM, owner: bytes) -> tuple[bytes, DataKey]:
    """A fresh data key: wrapped for storage, bound to its owner, and ready to use."""
    key = os.urandom(_KEY_SIZE_BYTES)
    nonce = next(_nonces)
    return nonce + kek.encrypt(nonce, key, owner), DataKey(key)


def unwrap_key(kek: AESGCM, wrapped: bytes, owner: bytes) -> DataKey:
    """The data key. Raises Unreadable when the epoch or the owner is wrong."""
    try:
        return DataKey(kek.decrypt(wrapped[:_NONCE_SIZE_BYTES], wrapped[_NONCE_SIZE_BYTES:], owner))
    except (InvalidTag, ValueError):
        raise Unreadable("a data key does not open under its epoch") from None


def rewrap_key(old: AESGCM, new: AESGCM, wrapped: bytes, old_owner: bytes, new_owner: bytes) -> bytes:
    """The same data key, wrapped by another epoch. Raises Unreadable when the old epoch or owner is wrong."""
    try:
        key = old.decrypt(wrapped[:_NONCE_SIZE_BYTES], wrapped[_NONCE_SIZE_BYTES:], old_owner)
    except (InvalidTag, ValueError):
        raise Unreadable("a data key does not open under its epoch") from None
    nonce = next(_nonces)
    return nonce + new.encrypt(nonce, key, new_owner)
