"""The certificate of an erasure: facts, its place in the chain, its hash and its signature.

The canonical form is RFC 8785 (JCS). `content` is the certificate in that form without `hash` and `signature`:

    hash       SHA-256 of the content, in hex; the next certificate's `previous_hash`
    signature  Ed25519 (RFC 8032) over the content, in base64

so that `sha256sum` and `openssl pkeyutl -verify -rawin` check what Lethe wrote, without Lethe.
"""

import hashlib
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import Field, StringConstraints

from workers.proof.facts import Facts, Moment, Number, Words
from workers.proof.signing import Signer

FORMAT: Final = "lethe.erasure-certificate.v1"
BEGINNING: Final = "0" * 64
"""`previous_hash` of the first certificate."""
OUTSIDE_CONTENT: Final = frozenset(("hash", "signature"))

Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Place(Facts):
    """Facts with their place in the chain; not signed yet."""

    format: Literal["lethe.erasure-certificate.v1"] = FORMAT
    sequence: Annotated[int, Field(ge=1, lt=2**53)]
    issued_at: Moment
    controller: Words
    replaces: Number | None = None
    key_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    previous_hash: Sha256Hex


class Certificate(Place):
    """One issued certificate. `replaces` is the sequence of an earlier one about the same request."""

    hash: Sha256Hex
    signature: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{86}==$")]

    @property
    def document(self) -> bytes:
        """The whole certificate in canonical form: what is stored, handed out and verified."""
        return canonical(self.model_dump(mode="json"))

    @property
    def facts(self) -> Facts:
        """What it states, without its place in the chain."""
        return Facts.model_validate({name: getattr(self, name) for name in Facts.model_fields})


def canonical(value: object) -> bytes:
    """RFC 8785 of data whose keys are ASCII and whose numbers are integers below 2^53: all that a certificate has.

    For such data sorting by code units is sorting by bytes, and orjson escapes as RFC 8785, 3.2.2.2 demands.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def content(fields: dict[str, Any]) -> bytes:
    """What hash and signature are over, from a certificate's JSON."""
    return canonical({name: value for name, value in fields.items() if name not in OUTSIDE_CONTENT})


def issue(
    facts: Facts,
    *,
    sequence: int,
    previous_hash: str,
    replaces: int | None,
    controller: str,
    signer: Signer,
    now: datetime,
) -> Certificate:
    """The certificate of these facts at this place in the chain, signed."""
    placed = Place.model_validate(
        {
            **{name: getattr(facts, name) for name in Facts.model_fields},
            "sequence": sequence,
            "issued_at": now,
            "controller": controller,
            "replaces": replaces,
            "key_id": signer.key_id,
            "previous_hash": previous_hash,
        }
    )
    signed = content(placed.model_dump(mode="json"))
    return Certificate.model_validate(
        {
            **{name: getattr(placed, name) for name in Place.model_fields},
            "hash": hashlib.sha256(signed).hexdigest(),
            "signature": signer.sign(signed),
        }
    )
