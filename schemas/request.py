"""What people ask about their data, on `requests`, keyed by the request's id; what became of it on `confirmations`.

Fields have the names of OpenDSR 2.0, reasons those of the Data Rights Protocol 1.0. Whoever publishes on `requests` has
authenticated the person: the shop's account page.
"""

import re
from datetime import datetime
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from schemas import base
from schemas.base import EMAIL_PATTERN, IDENTIFIER_PATTERN, Language

RequestType = Literal["erasure"]
RequestStatus = Literal[
    "received",
    "identity_needed",
    "in_progress",
    "waiting_for_store",
    "on_hold",
    "completed",
    "partly_completed",
    "refused",
    "cancelled",
]
StatusReason = Literal[
    "suspected_fraud",
    "insuf_verification",
    "no_match",
    "claim_not_covered",
    "outside_jurisdiction",
    "too_many_requests",
    "other",
    "order_in_flight",
    "legal_hold",
    "store_silent",
    "duplicate",
]

_SHAPES: Final = {"email": re.compile(EMAIL_PATTERN), "controller_customer_id": re.compile(IDENTIFIER_PATTERN)}


def _said(description: str) -> object:
    return base.plain(description, base.LEGAL_COMPLIANCE, base.LEGAL_OBLIGATION)


class SubjectIdentity(base.Contract):
    """One thing that the shop knows the person by (OpenDSR `subject_identities`)."""

    identity_type: Annotated[Literal["email", "controller_customer_id"], _said("What the value is.")]
    identity_value: Annotated[
        Annotated[str, base.text(254, min_length=1)],
        base.personal(
            "An e-mail address, or the customer reference that orders are keyed by.",
            "pd:UID",
            base.LEGAL_COMPLIANCE,
            base.LEGAL_OBLIGATION,
        ),
    ]
    identity_format: Annotated[Literal["raw"], _said("Values come as they are.")] = "raw"

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if _SHAPES[self.identity_type].match(self.identity_value) is None:
            raise ValueError("subject_identities: a value does not look like what its identity_type says")
        return self


class RequestEvent(base.Contract):
    """What every event of a request says."""

    subject_request_id: Annotated[UUID, _said("The request's own number, a UUID; the record's key.")]


class ErasureRequested(RequestEvent):
    """The person, authenticated by the shop, wants everything about them erased (GDPR 17)."""

    subject_request_type: Annotated[RequestType, _said("Which right is used.")] = "erasure"
    submitted_time: Annotated[datetime, AwareDatetime, _said("When the person asked, RFC 3339 with zone.")]
    subject_identities: Annotated[
        tuple[SubjectIdentity, ...],
        Field(min_length=1, max_length=10, strict=False),
        _said("Everything that the shop knows this person by: customer references and addresses."),
    ]
    language: Annotated[Language, _said("The language in which the person is answered.")] = "en"


class RequestCancelled(RequestEvent):
    """The person takes the request back. It counts only until the erasure has begun."""


class RequestChanged(RequestEvent):
    """Where a request stands. No personal data: the outcome and references."""

    subject_request_type: Annotated[RequestType, _said("Which right is used.")]
    request_status: Annotated[RequestStatus, _said("Where it stands.")]
    reason: Annotated[StatusReason | None, _said("Why it was refused, waits, or is complete in part only.")] = None
    received_time: Annotated[datetime, AwareDatetime, _said("When Lethe received it.")]
    expected_completion_time: Annotated[datetime, AwareDatetime, _said("The legal deadline.")]
    certificate: Annotated[
        Annotated[int, Field(ge=1)] | None, _said("The certificate's number, once there is one.")
    ] = None
