"""A version of the privacy policy that the controller publishes, on `policies`, keyed by the version."""

from datetime import date
from typing import Annotated

from pydantic import Field

from schemas import base
from schemas.base import Language, Notice


class PolicySummary(base.Contract):
    """What changed, in one language."""

    language: Annotated[Language, base.plain("The language of the text.", base.COMMUNICATION, base.LEGAL_OBLIGATION)]
    text: Annotated[
        Annotated[str, base.text(500, min_length=1)],
        base.plain("What changed, in a sentence or two, for people.", base.COMMUNICATION, base.LEGAL_OBLIGATION),
    ]


class PolicyPublished(base.Contract):
    """A version stands on the pages. Where it is material, each contact and customer is told once by mail."""

    version: Annotated[
        Notice,
        base.plain("The version's name; the record's key; what consent names.", base.RECORDS, base.LEGAL_OBLIGATION),
    ]
    effective: Annotated[
        date,
        base.plain("From this day on, in the controller's time zone.", base.RECORDS, base.LEGAL_OBLIGATION),
    ]
    material: Annotated[
        bool, base.plain("Whether people must be told before.", base.COMMUNICATION, base.LEGAL_OBLIGATION)
    ]
    summaries: Annotated[
        tuple[PolicySummary, ...],
        Field(min_length=1, max_length=20, strict=False),
        base.plain("What changed, by language.", base.COMMUNICATION, base.LEGAL_OBLIGATION),
    ]
