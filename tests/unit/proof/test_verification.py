"""Whatever is done to a certificate or to the chain, verification says so."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from tests.support.certificates import SIGNER, chain, documents
from workers.proof import certificate, signing
from workers.proof.certificate import Certificate
from workers.proof.signing import Signer
from workers.proof.verification import ChainCheck, Fault, Head, verify

KEYS = {SIGNER.key_id: SIGNER.public}
OTHER = Signer(b"\x02" * 32)
CHAIN = chain(6)
WHOLE = documents(CHAIN)
HEAD = Head(CHAIN[-1].sequence, CHAIN[-1].hash)


def faults(found: list[bytes], head: Head | None = HEAD, *, whole: bool = True) -> list[Fault]:
    check = ChainCheck(KEYS, whole)
    return [fault for one in found for fault in check.add(one).faults] + check.end(head)


def test_an_untouched_chain_has_no_faults() -> None:
    assert faults(WHOLE) == []
    assert faults([WHOLE[0], WHOLE[3], WHOLE[4]], None, whole=False) == []
    assert faults([], Head(0, certificate.BEGINNING)) == []


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where every value of a document stands."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for name, inner in below for path in paths(inner, (*at, name)))] if at else [
        path for name, inner in below for path in paths(inner, (name,))
    ]  # fmt: skip


PATHS = paths(json.loads(WHOLE[2]))
ALTERED: list[Callable[[Any], Any]] = [
    lambda value: None if value is not None else "something",
    lambda value: value + 1 if isinstance(value, int) else [value],
    lambda value: value[:-1] + ("b" if value[-1:] == "a" else "a") if isinstance(value, str) else {"was": value},
]


@given(st.sampled_from(PATHS), st.sampled_from(ALTERED), st.integers(0, 5))
def test_any_altered_value_is_found(path: tuple[Any, ...], alter: Callable[[Any], Any], which: int) -> None:
    document = json.loads(WHOLE[which])
    inner = document
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = alter(inner[path[-1]])
    found = list(WHOLE)
    found[which] = certificate.canonical(document)
    assert faults(found)
    assert verify(found[which], KEYS).faults


@given(st.integers(0, 5), st.data())
def test_any_altered_byte_is_found_or_changes_nothing(which: int, data: st.DataObject) -> None:
    document = bytearray(WHOLE[which])
    document[data.draw(st.integers(0, len(document) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        same = json.loads(bytes(document)) == json.loads(WHOLE[which])
    except ValueError:
        same = False
    assert bool(verify(bytes(document), KEYS).faults) is not same


@given(st.permutations(range(6)).filter(lambda order: order != list(range(6))))
def test_another_order_is_found(order: list[int]) -> None:
    assert faults([WHOLE[place] for place in order])
    assert faults([WHOLE[place] for place in order], None, whole=False)


@given(st.sets(st.integers(0, 5), min_size=1, max_size=6))
def test_whatever_is_removed_is_missed(removed: set[int]) -> None:
    left = [one for place, one in enumerate(WHOLE) if place not in removed]
    assert faults(left)
    middle = min(removed) < 5 and left and json.loads(left[-1])["sequence"] > min(removed) + 1
    assert bool(faults(left, None)) is bool(middle), "without a head, what is taken from the end cannot be missed"


@given(st.integers(0, 6), st.integers(0, 5))
def test_a_certificate_that_is_there_twice_is_found(place: int, which: int) -> None:
    assert faults([*WHOLE[:place], WHOLE[which], *WHOLE[place:]])


@pytest.mark.parametrize("place", range(7))
def test_one_of_another_chain_is_found_even_if_it_is_signed_with_the_same_key(place: int) -> None:
    between = CHAIN[place - 1] if place else None
    forged = certificate.issue(
        CHAIN[0].facts, sequence=place + 1, previous_hash=between.hash if between else certificate.BEGINNING,
        replaces=None, controller="x", signer=SIGNER, now=CHAIN[0].issued_at,
    )  # fmt: skip
    assert verify(forged.document, KEYS).faults == ()
    assert faults([*WHOLE[:place], forged.document, *WHOLE[place:]])
    assert faults([*WHOLE[:place], forged.document, *WHOLE[place + 1 :]])


def signed_anew(one: Certificate, signer: Signer, **changed: Any) -> bytes:
    """The certificate altered, with a hash and a signature that fit, by somebody with another key."""
    fields = {**json.loads(one.document), **changed}
    signed = certificate.content(fields)
    return certificate.canonical(
        {**fields, "hash": hashlib.sha256(signed).hexdigest(), "signature": signer.sign(signed)}
    )


def test_who_has_another_key_cannot_write_a_certificate() -> None:
    (said,) = verify(signed_anew(CHAIN[0], OTHER), KEYS).faults
    assert "signature does not fit" in said.what
    (said,) = verify(signed_anew(CHAIN[0], OTHER, key_id=OTHER.key_id), KEYS).faults
    assert "a key that was not given" in said.what


def test_who_has_the_key_cannot_claim_completion_with_a_part_unconfirmed() -> None:
    stores = [{**json.loads(WHOLE[0])["stores"][0], "verified_absent_at": None, "not_confirmed": "no answer"}]
    (said,) = verify(signed_anew(CHAIN[0], SIGNER, stores=stores), KEYS).faults
    assert "is not of the format" in said.what


@pytest.mark.parametrize(
    "document",
    [b"", b"[]", b"nonsense", b"\xff", b'{"a":1,"a":1}', b'{"a":1.0}', b'{"a":NaN}', b'{"a":9007199254740993}',
     b'{"a":"\\ud800"}', '{"é":1}'.encode(), b"[" * 100_000, b'{"a":' + b"9" * 100_000 + b"}"],
)  # fmt: skip
def test_what_does_not_mean_one_thing_to_every_reader_is_no_certificate(document: bytes) -> None:
    checked = verify(document, KEYS)
    assert checked.certificate is None
    assert "not a certificate" in str(checked.faults[0])


def test_a_field_named_twice_does_not_pass_although_the_last_one_is_right() -> None:
    document = WHOLE[0].replace(b'{"carriers"', b'{"outcome":"partly_completed","carriers"', 1)
    assert json.loads(document) == json.loads(WHOLE[0])
    assert "names a field twice" in str(verify(document, KEYS).faults[0])


def test_other_spaces_and_another_order_of_fields_change_nothing() -> None:
    fields = json.loads(WHOLE[0])
    written = json.dumps(dict(reversed(fields.items())), indent=4)
    assert verify(written, KEYS).faults == ()


def test_it_needs_nothing_of_lethe() -> None:
    """A few lines of another program come to the same answer."""
    fields = json.loads(WHOLE[1])
    signature = base64.b64decode(fields.pop("signature"))
    said = fields.pop("hash")
    signed = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert hashlib.sha256(signed).hexdigest() == said == json.loads(WHOLE[2])["previous_hash"]
    public = serialization.load_pem_public_key(SIGNER.public_pem.encode())
    assert isinstance(public, Ed25519PublicKey)
    public.verify(signature, signed)
    assert signing.key_id(public) == fields["key_id"]
