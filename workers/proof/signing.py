"""The certificates' signing key: Ed25519, in the keyring directory beside the keys that sealed data needs.

<keyring>/certificates/ed25519.key   the private key, 32 bytes as hex (RFC 8032, 5.1.5), made by `lethe migrate`
<keyring>/certificates/*.pub         public keys of earlier signing keys, PEM: certificates of theirs stay valid
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from workers.errors import UsageError
from workers.vault import key_files

_KEY_ID_CHARS = 32

PublicKeys = Mapping[str, Ed25519PublicKey]
"""By key id."""


class Signer:
    """Signs certificates with one key, which `key_id` names."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key()
        self.key_id = key_id(self.public)

    def sign(self, data: bytes) -> str:
        """The signature, base64."""
        return base64.b64encode(self._private.sign(data)).decode()

    @property
    def public_pem(self) -> str:
        """The public key as PEM (RFC 8410): all that somebody outside needs to verify."""
        return self.public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()


def create(keyring_dir: Path) -> None:
    """Make the signing key where it is missing; never overwrites one."""
    file = _key_file(keyring_dir)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_files.write_key(file)


def load(keyring_dir: Path) -> Signer:
    """The signer. Raises UsageError when the keyring has no signing key."""
    try:
        return Signer(key_files.read_key(_key_file(keyring_dir)))
    except OSError as error:
        raise UsageError(
            f"the certificates' signing key cannot be read ({error.strerror}: {error.filename}); "
            "`lethe migrate` makes it once, or point LETHE_KEYRING_DIR at the keyring"
        ) from None


def key_id(public: Ed25519PublicKey) -> str:
    """The first 16 bytes of the SHA-256 of the raw public key, in hex."""
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:_KEY_ID_CHARS]


def public_keys(files: Iterable[Path]) -> dict[str, Ed25519PublicKey]:
    """The Ed25519 public keys in PEM files. Raises UsageError."""
    found = {}
    for file in files:
        try:
            public = serialization.load_pem_public_key(file.read_bytes())
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror}") from None
        except ValueError:
            public = None
        if not isinstance(public, Ed25519PublicKey):
            raise UsageError(f"{file} is not an Ed25519 public key in PEM: see `lethe certificate key`")
        found[key_id(public)] = public
    return found


def known_keys(keyring_dir: Path) -> dict[str, Ed25519PublicKey]:
    """The public half of the signing key, and of earlier ones that were kept beside it. Raises UsageError."""
    signer = load(keyring_dir)
    return {signer.key_id: signer.public, **public_keys(sorted((keyring_dir / "certificates").glob("*.pub")))}


def verifies(public: Ed25519PublicKey, signature: str, data: bytes) -> bool:
    """Whether `signature` (base64) over `data` was made with this key."""
    try:
        public.verify(base64.b64decode(signature, validate=True), data)
    except (InvalidSignature, ValueError):
        return False
    return True


def _key_file(keyring_dir: Path) -> Path:
    return keyring_dir / "certificates" / "ed25519.key"
