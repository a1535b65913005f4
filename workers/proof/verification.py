"""Verification, from the documents and public keys alone: no database, no network, nothing of Lethe's state.

What it shows: each certificate was written by the holder of the signing key and not changed since, and in a whole chain
none was removed, inserted or put elsewhere. What it cannot show stands in LIMITS.
"""

import hashlib
import json
from typing import Any, NamedTuple

from pydantic import ValidationError

from workers.proof import certificate, signing
from workers.proof.certificate import BEGINNING, FORMAT, Certificate
from workers.proof.signing import PublicKeys

LIMITS = (
    "A certificate repeats what each store answered when it looked again; it cannot show that a store told the truth.",
    "Who holds the signing key can write another chain: compare it with what others keep (verify FILE --chain).",
    "Certificates taken from the end leave no trace in a file of the chain: compare its last one with a kept one.",
    "One certificate by itself does not show that the chain before and after it is whole.",
)
_MAX_INTEGER = 2**53


class Fault(NamedTuple):
    """Something that is wrong with one certificate, or with the chain where `sequence` is None."""

    sequence: int | None
    what: str

    def __str__(self) -> str:
        where = "chain" if self.sequence is None else f"certificate {self.sequence}"
        return f"{where}: {self.what}"


class Head(NamedTuple):
    """The end of a chain: the last certificate's sequence and hash."""

    sequence: int
    hash: str


class Checked(NamedTuple):
    """One document looked at by itself; `certificate` is None where it cannot be read at all."""

    certificate: Certificate | None
    faults: tuple[Fault, ...]


def verify(document: bytes | str, keys: PublicKeys) -> Checked:
    """Check one certificate by itself: its form, its hash, its signature."""
    try:
        fields = _read(document)
    except ValueError as error:
        return Checked(None, (Fault(None, f"holds a document that is not a certificate: {error}"),))
    number = fields.get("sequence")
    sequence = number if type(number) is int else None
    faults = [Fault(sequence, what) for what in _seal_faults(fields, keys)]
    try:
        read = Certificate.model_validate_json(json.dumps(fields))
    except ValidationError as error:
        fields_ = sorted({".".join(map(str, one["loc"])) or "the whole" for one in error.errors()})
        return Checked(None, (*faults, Fault(sequence, f"is not of the format {FORMAT}: {', '.join(fields_)[:200]}")))
    return Checked(read, tuple(faults))


class ChainCheck:
    """Checks certificates in the order of the chain, one after the other, in constant memory.

    `whole`: they are the whole chain, from the first one on without a gap. Otherwise they are some of it, and only
    neighbours are compared.
    """

    def __init__(self, keys: PublicKeys, whole: bool) -> None:
        self._keys = keys
        self._whole = whole
        self._last = Head(0, BEGINNING)
        self.count = 0

    def add(self, document: bytes | str) -> Checked:
        """The next one: what is wrong with itself and with its place."""
        checked = verify(document, self._keys)
        self.count += 1
        one = checked.certificate
        if one is None:
            return checked
        faults = [*checked.faults, *(Fault(one.sequence, what) for what in self._place_faults(one))]
        self._last = Head(one.sequence, one.hash)
        return Checked(one, tuple(faults))

    def end(self, head: Head | None = None) -> list[Fault]:
        """What is wrong with the end: compared with `head`, what the issuer remembers as the last one."""
        if head is None or self._last == head:
            return []
        return [Fault(None, f"ends at {self._last.sequence}, but {head.sequence} were issued, or the last one differs")]

    def _place_faults(self, one: Certificate) -> list[str]:
        last = self._last
        follows = one.sequence == last.sequence + 1
        if self._whole and not follows:
            return [f"does not follow {last.sequence}: certificates were removed, repeated or put elsewhere"]
        if self.count > 1 and one.sequence <= last.sequence:
            return [f"stands behind {last.sequence}: not the order of the chain"]
        if follows and one.previous_hash != last.hash:
            return [f"was not issued after this certificate {last.sequence}" if last.sequence else "is not the first"]
        return []


def _seal_faults(fields: dict[str, Any], keys: PublicKeys) -> list[str]:
    signed = certificate.content(fields)
    faults = []
    if hashlib.sha256(signed).hexdigest() != fields.get("hash"):
        faults.append("its content is not what its hash says: it was altered")
    public = keys.get(str(fields.get("key_id")))
    if public is None:
        faults.append("is signed with a key that was not given (--key FILE)")
    elif not signing.verifies(public, str(fields.get("signature")), signed):
        faults.append("its signature does not fit: it was altered, or not written by the holder of the key")
    return faults


def _read(document: bytes | str) -> dict[str, Any]:
    """The JSON object, if it means one thing to every reader. Raises ValueError, which repeats nothing of it."""
    try:
        text = document.decode() if isinstance(document, bytes) else document
        fields = json.loads(
            text, object_pairs_hook=_distinct, parse_float=_no_float, parse_constant=_no_float, parse_int=_integer
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(fields, dict):
        raise ValueError("it is not a JSON object")
    try:
        certificate.canonical(fields)
    except TypeError:
        raise ValueError("it holds text that is not Unicode, or is nested too deep") from None
    return fields


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("it names a field twice")
    if not all(name.isascii() for name in fields):
        raise ValueError("it names a field that no certificate has")
    return fields


def _no_float(_text: str) -> float:
    raise ValueError("it holds a number that is not whole")


def _integer(text: str) -> int:
    if len(text) > 17 or abs(value := int(text)) >= _MAX_INTEGER:
        raise ValueError("it holds a number that is too large")
    return value
