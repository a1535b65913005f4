"""DKIM: signs what leaves, with RSA-SHA256 (RFC 6376) and Ed25519-SHA256 (RFC 8463), relaxed/relaxed.

Two signatures: not every receiver knows Ed25519 yet. The headers of one-click unsubscribe are signed, as RFC 8058
demands.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from workers.errors import UsageError

SIGNED = (
    "from", "to", "reply-to", "subject", "date", "message-id", "mime-version", "content-type", "auto-submitted",
    "list-id", "list-unsubscribe", "list-unsubscribe-post",
)  # fmt: skip
RSA_BITS = 2048
_RSA_FILE, _ED25519_FILE = "rsa.pem", "ed25519.pem"
_SPACE_AT_END = re.compile(rb"[ \t]+(?=\r\n)")
_SPACES = re.compile(rb"[ \t]+")
_FOLD = re.compile(r"\r\n(?=[ \t])")
_BLANK = re.compile(r"[ \t]+")
_SIGNATURE_CHARS = 72

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


class Key(NamedTuple):
    """One signing key and the name under which its public half stands in DNS."""

    algorithm: str
    selector: str
    private: PrivateKey

    def sign(self, data: bytes) -> bytes:
        """The raw signature over header data."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.private.sign(hashlib.sha256(data).digest())

    def record(self) -> str:
        """The TXT record for `<selector>._domainkey.<domain>`."""
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            raw = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
            return f"v=DKIM1; k=rsa; p={base64.b64encode(raw).decode()}"
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"


class Signer:
    """Signs messages for one domain. Without keys it leaves them as they are."""

    def __init__(self, domain: str, keys: Sequence[Key]) -> None:
        self.keys = tuple(keys)
        self._domain = domain

    def sign(self, headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
        """The DKIM-Signature header lines to put before `headers` (values as they are sent, folded or not).

        `body` has CRLF line ends.
        """
        if not self.keys:
            return b""
        body_hash = base64.b64encode(hashlib.sha256(_relaxed_body(body)).digest()).decode()
        chosen = [(name.lower(), _relaxed(value)) for name, value in headers if name.lower() in SIGNED]
        signed = "".join(f"{name}:{value}\r\n" for name, value in reversed(chosen))
        names = ":".join(name for name, _ in reversed(chosen))
        return b"".join(self._signature(key, signed, names, body_hash) for key in self.keys)

    def _signature(self, key: Key, signed: str, names: str, body_hash: str) -> bytes:
        value = (
            f"v=1; a={key.algorithm}; c=relaxed/relaxed; d={self._domain}; s={key.selector};\r\n"
            f"\th={names};\r\n\tbh={body_hash};\r\n\tb="
        )
        data = f"{signed}dkim-signature:{_relaxed(value)}".encode()
        signature = base64.b64encode(key.sign(data)).decode()
        parts = [signature[start : start + _SIGNATURE_CHARS] for start in range(0, len(signature), _SIGNATURE_CHARS)]
        return ("DKIM-Signature: " + value + "\r\n\t".join(parts) + "\r\n").encode()


def create(directory: Path) -> None:
    """Make the keys that are missing; never overwrites one."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted: dict[str, PrivateKey] = {}
    if not (directory / _RSA_FILE).exists():
        wanted[_RSA_FILE] = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    if not (directory / _ED25519_FILE).exists():
        wanted[_ED25519_FILE] = ed25519.Ed25519PrivateKey.generate()
    for name, private in wanted.items():
        file = directory / name
        file.touch(mode=0o600, exist_ok=False)
        file.write_bytes(
            private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


def load(directory: Path, domain: str, selector: str) -> Signer:
    """The signer with the keys of a directory; none when it does not exist. Raises UsageError for a broken key."""
    keys = []
    for name, algorithm, suffix in ((_RSA_FILE, "rsa-sha256", "rsa"), (_ED25519_FILE, "ed25519-sha256", "ed25519")):
        file = directory / name
        if file.exists():
            try:
                private = serialization.load_pem_private_key(file.read_bytes(), password=None)
            except (ValueError, TypeError):
                raise UsageError(
                    f"{file} is not an unencrypted private key in PEM: remove it, `lethe mail keys` makes a new one"
                ) from None
            assert isinstance(private, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey)
            keys.append(Key(algorithm, f"{selector}-{suffix}", private))
    return Signer(domain, keys)


def _relaxed(value: str) -> str:
    """A header's value: unfolded, runs of blanks as one, none at the ends (RFC 6376, 3.4.2)."""
    return _BLANK.sub(" ", _FOLD.sub("", value)).strip(" \t")


def _relaxed_body(body: bytes) -> bytes:
    """RFC 6376, 3.4.4: blanks at line ends and empty lines at the end do not count."""
    if b" " in body or b"\t" in body:
        body = _SPACES.sub(b" ", _SPACE_AT_END.sub(b"", body))
    body = body.rstrip(b"\r\n")
    return body + b"\r\n" if body else b""
