"""What a store needs to find its rows, sealed to it: JWE compact (RFC 7516), ECDH-ES with X25519 (RFC 8037), A256GCM.

Lethe seals with the store's public key alone; only who holds the private key can open, in any language that has a JOSE
library. A library in Python agrees upon a key anew for each of a thousand people, which was more than half
of what an erasure cost; here one agreement serves a task, and each JWE has an initialisation vector of its own: 96
random bits are safe for 2^32 of them under one key (NIST SP 800-38D, 8.3).
"""

import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from workers.errors import UsageError
from workers.vault import key_files

_ENC: Final = b"A256GCM"
_ALGORITHM: Final = {"alg": "ECDH-ES", "enc": _ENC.decode()}
_KEY_BYTES, _IV_BYTES, _TAG_BYTES = 32, 12, 16
# RFC 7518, 4.6.2: the algorithm with its length, no party's name, the length of the key in bits.
_OTHER_INFO: Final = len(_ENC).to_bytes(4, "big") + _ENC + bytes(8) + (_KEY_BYTES * 8).to_bytes(4, "big")

Identifiers = Mapping[str, Sequence[str]]


class Unopened(Exception):
    """A JWE does not open under this store's key, or holds no identifiers."""


class Sealer:
    """Seals for one store, under one key agreement: for the people of one task, then a new one."""

    def __init__(self, key: OKPKey) -> None:
        ephemeral = X25519PrivateKey.generate()
        epk = {"crv": "X25519", "kty": "OKP", "x": _encoded(ephemeral.public_key().public_bytes_raw())}
        self._head = _encoded(json.dumps({**_ALGORITHM, "epk": epk}, separators=(",", ":")).encode())
        self._key = _agreed(ephemeral, X25519PublicKey.from_public_bytes(_decoded(public_text(key))))

    def seal(self, identifiers: Identifiers) -> str:
        """The identifiers as a JWE in compact form: about 5 µs and 270 characters."""
        payload = json.dumps({name: list(values) for name, values in identifiers.items()}, ensure_ascii=False)
        iv = os.urandom(_IV_BYTES)
        sealed = self._key.encrypt(iv, payload.encode(), self._head.encode())
        return f"{self._head}..{_encoded(iv)}.{_encoded(sealed[:-_TAG_BYTES])}.{_encoded(sealed[-_TAG_BYTES:])}"


class Opener:
    """Opens what was sealed to one store; agrees upon a key only where the last JWE's header was another."""

    def __init__(self, key: OKPKey) -> None:
        self._private = X25519PrivateKey.from_private_bytes(_decoded(str(key.as_dict(private=True)["d"])))
        self._head = ""
        self._key = AESGCM(bytes(_KEY_BYTES))

    def unseal(self, sealed: str) -> dict[str, tuple[str, ...]]:
        """The identifiers. Raises Unopened, which names nothing of what is inside."""
        try:
            head, _, iv, ciphertext, tag = sealed.split(".")
            if head != self._head:
                self._key, self._head = _agreed(self._private, _ephemeral(head)), head
            payload = self._key.decrypt(_decoded(iv), _decoded(ciphertext) + _decoded(tag), head.encode())
            opened = json.loads(payload)
            return {str(name): tuple(str(value) for value in values) for name, values in opened.items()}
        except (InvalidTag, ValueError, TypeError, AttributeError, KeyError):
            raise Unopened("it was not sealed to this store's key, or does not hold lists of texts") from None


def _ephemeral(head: str) -> X25519PublicKey:
    """Whom to agree with. The sender does not choose the algorithm. Raises ValueError, TypeError or KeyError."""
    header = json.loads(_decoded(head))
    epk = header.pop("epk")
    if header != _ALGORITHM or epk["kty"] != "OKP" or epk["crv"] != "X25519":
        raise ValueError("another algorithm")
    return X25519PublicKey.from_public_bytes(_decoded(epk["x"]))


def _agreed(own: X25519PrivateKey, theirs: X25519PublicKey) -> AESGCM:
    derived = ConcatKDFHash(SHA256(), _KEY_BYTES, _OTHER_INFO).derive(own.exchange(theirs))
    return AESGCM(derived)


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def generate() -> OKPKey:
    """A fresh private key, for a system that keeps its key itself."""
    return OKPKey.generate_key("X25519", private=True)


def public(encoded: str) -> OKPKey:
    """The public key of a store file: the `x` of its JWK. Raises ValueError."""
    try:
        return OKPKey.import_key({"kty": "OKP", "crv": "X25519", "x": encoded})
    except (JoseError, ValueError, TypeError):
        raise ValueError("is no X25519 public key: give the `x` of its JWK (RFC 8037), 43 characters") from None


def private_path(keyring_dir: Path, store: str) -> Path:
    """Where the private key of a store that Lethe works on is kept."""
    return keyring_dir / "stores" / f"{store}.key"


def create_private(keyring_dir: Path, store: str) -> bool:
    """Make a store's private key where there is none; returns whether it did. Never overwrites one."""
    path = private_path(keyring_dir, store)
    if path.exists():
        return False
    path.parent.mkdir(mode=0o700, exist_ok=True)
    key_files.write_key(path)
    return True


def private(keyring_dir: Path, store: str) -> OKPKey | None:
    """A store's private key; None where it has none. Raises UsageError where the file is no key."""
    path = private_path(keyring_dir, store)
    try:
        raw = key_files.read_key(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    return OKPKey.import_key(X25519PrivateKey.from_private_bytes(raw))


def public_text(key: OKPKey) -> str:
    """The `x` of the JWK: what a store file takes as `public_key`."""
    return str(key.as_dict(private=False)["x"])
