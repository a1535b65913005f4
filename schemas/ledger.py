"""What must outlive a restored backup, on `ledger`: who was erased, which addresses said no. Keyed hashes only.

Lethe alone writes and reads it. The hashes are made with keys of the keyring: without those they name nobody.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime

from schemas import base
from schemas.base import AnyPurposeName

Reason = Literal["withdrawn", "complaint", "hard_bounce", "objection"]


def _plain(description: str) -> object:
    return base.plain(description, base.LEGAL_COMPLIANCE, base.LEGAL_OBLIGATION)


class SubjectErased(base.Contract):
    """A person was erased: what happened before is not taken in any more."""

    reference_hash: Annotated[UUID, _plain("A keyed hash of the customer reference.")]
    erased_at: Annotated[datetime, AwareDatetime, _plain("From this moment on nothing about them left.")]


class AddressSuppressed(base.Contract):
    """An address must not be written to for a purpose, or may be again."""

    suppression_hash: Annotated[UUID, _plain("A keyed hash of the address, under a key of its own.")]
    purpose: Annotated[AnyPurposeName, _plain("The purpose; * is every one that needs consent.")]
    reason: Annotated[Reason, _plain("Why.")]
    since: Annotated[datetime, AwareDatetime, _plain("When that was said last; of a lifted one, when it was lifted.")]
    lifted: Annotated[bool, _plain("Whether the person has said yes since then.")]
