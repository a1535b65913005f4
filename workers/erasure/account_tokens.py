"""Tokens of the shop's account page (JWT, RFC 7519; RFC 8725): who has logged in there needs no other proof.

sub   the customer reference that orders are keyed by        exp   required
aud   LETHE_PUBLIC_URL                                       iat   required, ten minutes ago at most
email optional: an address that the account page vouches for
"""

import re
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

from schemas.base import IDENTIFIER_PATTERN
from workers.domain.email_address import normalise
from workers.errors import Refused, UsageError

MAX_AGE_S = 600
_LEEWAY_S = 30
_MAX_CHARACTERS = 4096
_RSA_MIN_BITS = 2048
_REFERENCE = re.compile(IDENTIFIER_PATTERN)
_EXPECTED = "expected a PEM public key: Ed25519, P-256, or RSA of 2048 bits or more"


class Account(NamedTuple):
    """Whom a token names. `email` is normalised."""

    reference: str
    email: str | None


class AccountKey(NamedTuple):
    """The key, and the only algorithms that it may be used with: a token does not choose."""

    key: OKPKey | ECKey | RSAKey
    algorithms: tuple[str, ...]


class AccountTokens:
    """Reads tokens; without a key it knows none."""

    def __init__(self, key: AccountKey | None, audience: str) -> None:
        self._key = key
        self._audience = audience

    def read(self, token: str, now: datetime) -> Account | None:
        """Whom it names; None for anything but a token that this shop signed for this use a moment ago."""
        if self._key is None or len(token) > _MAX_CHARACTERS:
            return None
        now_s = int(now.timestamp())
        claims = jwt.JWTClaimsRegistry(
            now=now_s, leeway=_LEEWAY_S, aud={"essential": True, "value": self._audience}, exp={"essential": True},
            iat={"essential": True}, sub={"essential": True},
        )  # fmt: skip
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SecurityWarning)  # `EdDSA` says less than the key, which is Ed25519
                said = jwt.decode(token, self._key.key, list(self._key.algorithms)).claims
            claims.validate(said)
        except (JoseError, ValueError, TypeError):
            return None
        return _account(said) if now_s - said["iat"] <= MAX_AGE_S else None


def load(path: Path | None, audience: str) -> AccountTokens:
    """With the account page's public key. Raises UsageError where the file holds none that may be used."""
    if path is None:
        return AccountTokens(None, audience)
    try:
        pem = path.read_bytes()
        return AccountTokens(_key(pem, serialization.load_pem_public_key(pem)), audience)
    except OSError as error:
        raise UsageError(f"LETHE_ACCOUNT_KEY_FILE cannot be read ({type(error).__name__}): {path}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"LETHE_ACCOUNT_KEY_FILE: {path}: {_EXPECTED}") from None


def _key(pem: bytes, public: object) -> AccountKey:
    if isinstance(public, ed25519.Ed25519PublicKey):
        return AccountKey(OKPKey.import_key(pem), ("EdDSA", "Ed25519"))
    if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1):
        return AccountKey(ECKey.import_key(pem), ("ES256",))
    if isinstance(public, rsa.RSAPublicKey) and public.key_size >= _RSA_MIN_BITS:
        return AccountKey(RSAKey.import_key(pem), ("RS256",))
    raise ValueError("another kind of key")


def _account(said: dict[str, Any]) -> Account | None:
    email = said.get("email")
    if _REFERENCE.match(said["sub"]) is None or not isinstance(email, str | None):
        return None
    try:
        return Account(said["sub"], None if email is None else normalise(email))
    except Refused:
        return None
