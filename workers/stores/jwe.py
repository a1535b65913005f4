"""What a store needs to find its rows, sealed to it: JWE compact (RFC 7516), ECDH-ES with X25519 (RFC 8037), A256GCM.

Lethe seals with the store's public key alone; only who holds the private key can open, in any language that has a JOSE
library.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from workers.errors import UsageError
from workers.vault import key_files

_HEADER = {"alg": "ECDH-ES", "enc": "A256GCM"}
_ALGORITHMS = list(_HEADER.values())

Identifiers = Mapping[str, Sequence[str]]


class Unopened(Exception):
    """A JWE does not open under this store's key, or holds no identifiers."""


def seal(key: OKPKey, identifiers: Identifiers) -> str:
    """The identifiers as a JWE in compact form: about 76 µs and 350 characters."""
    payload = json.dumps({name: list(values) for name, values in identifiers.items()}, ensure_ascii=False)
    return jwe.encrypt_compact(_HEADER, payload.encode(), key, algorithms=_ALGORITHMS)


def unseal(key: OKPKey, sealed: str) -> dict[str, tuple[str, ...]]:
    """The identifiers. Raises Unopened, which names nothing of what is inside."""
    try:
        payload = jwe.decrypt_compact(sealed, key, algorithms=_ALGORITHMS).plaintext
        opened = json.loads(payload or b"")
        return {str(name): tuple(str(value) for value in values) for name, values in opened.items()}
    except (JoseError, ValueError, TypeError, AttributeError):
        raise Unopened("it was not sealed to this store's key, or does not hold lists of texts") from None


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
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

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
