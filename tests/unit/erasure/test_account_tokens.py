"""The account page's key and its tokens: the algorithm follows the key, whatever a token says."""

import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

from workers.erasure import account_tokens
from workers.erasure.account_tokens import Account
from workers.errors import UsageError

Private = ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SHOP = "https://privacy.shop.example"
_ED, _EC = ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
_RSA = rsa.generate_private_key(65537, 2048)


def _file(folder: Path, key: Private) -> Path:
    path = folder / "accounts.pem"
    public = key.public_key()
    path.write_bytes(
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )  # fmt: skip
    return path


def _token(key: OKPKey | ECKey | RSAKey, alg: str, audience: str | list[str] = SHOP) -> str:
    claims = {"sub": "C-1", "aud": audience, "iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 3600}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        return jwt.encode({"alg": alg}, claims, key, algorithms=[alg])


@pytest.mark.parametrize(
    ("key", "signer", "alg"),
    [
        (_ED, OKPKey.import_key(_ED), "EdDSA"),
        (_ED, OKPKey.import_key(_ED), "Ed25519"),
        (_EC, ECKey.import_key(_EC), "ES256"),
        (_RSA, RSAKey.import_key(_RSA), "RS256"),
    ],
)
def test_tokens_of_each_kind_of_key(
    tmp_path: Path, key: Private, signer: OKPKey | ECKey | RSAKey, alg: str
) -> None:  # fmt: skip
    tokens = account_tokens.load(_file(tmp_path, key), SHOP)
    assert tokens.read(_token(signer, alg), NOW) == Account("C-1", None)
    assert tokens.read(_token(signer, alg, ["https://other.example", SHOP]), NOW) == Account("C-1", None)
    assert tokens.read(_token(signer, alg, ["https://other.example"]), NOW) is None


def test_a_token_does_not_choose_its_algorithm(tmp_path: Path) -> None:
    tokens = account_tokens.load(_file(tmp_path, _RSA), SHOP)
    for alg in ("RS512", "PS256"):
        assert tokens.read(_token(RSAKey.import_key(_RSA), alg), NOW) is None


def test_a_token_is_believed_for_ten_minutes(tmp_path: Path) -> None:
    tokens = account_tokens.load(_file(tmp_path, _EC), SHOP)
    token = _token(ECKey.import_key(_EC), "ES256")
    assert tokens.read(token, NOW + timedelta(minutes=10)) is not None
    assert tokens.read(token, NOW + timedelta(minutes=10, seconds=1)) is None


def test_without_a_key_no_token_is_known() -> None:
    assert account_tokens.load(None, SHOP).read(_token(ECKey.import_key(_EC), "ES256"), NOW) is None


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 1024),
        ec.generate_private_key(ec.SECP384R1()),
        ed448.Ed448PrivateKey.generate(),
    ],
    ids=["short RSA", "P-384", "Ed448"],
)
def test_other_keys_are_refused(tmp_path: Path, key: Private) -> None:
    with pytest.raises(UsageError, match="P-256"):
        account_tokens.load(_file(tmp_path, key), SHOP)


def test_what_is_no_public_key_is_refused(tmp_path: Path) -> None:
    private = tmp_path / "private.pem"
    private.write_bytes(
        _ED.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
    (tmp_path / "words.pem").write_text("a key")
    for path in (private, tmp_path / "words.pem", tmp_path / "missing.pem", tmp_path):
        with pytest.raises(UsageError, match="LETHE_ACCOUNT_KEY_FILE"):
            account_tokens.load(path, SHOP)
