"""A line of a file of subscribers: consent that was given elsewhere, with what shows it."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final

from pydantic import AwareDatetime, ValidationError

from schemas import base, reasons
from schemas.base import Language, Notice, PurposeName
from schemas.consent import CollectionMethod, ConsentEvidence, Email
from workers.domain.consent import ConsentChange, Entity, Kind
from workers.errors import RefusalCode, Refused

EVIDENCE: Final = ("wording", "location", "source_address", "reference")
REQUIRED: Final = ("email", "purpose", "consented_at", "collection_method", "privacy_notice", "language")
OPTIONAL: Final = ("confirmed_at", *EVIDENCE)
_SHOWS_IT: Final = ("wording", "location", "reference")


class SubscriberLine(base.Contract):
    """The columns of a line; those of ConsentEvidence beside them."""

    email: Annotated[Email, base.personal("The address.", "pd:EmailAddress", base.MARKETING, base.CONSENT)]
    purpose: Annotated[PurposeName, base.plain("The purpose.", base.MARKETING, base.CONSENT)]
    privacy_notice: Annotated[Notice, base.plain("The policy version shown.", base.RECORDS)]
    language: Annotated[Language, base.plain("The language of mails.", base.COMMUNICATION)]
    collection_method: Annotated[CollectionMethod, base.plain("How it was given.", base.RECORDS)]
    consented_at: Annotated[datetime, AwareDatetime, base.plain("When it was given.", base.RECORDS)]
    confirmed_at: Annotated[
        Annotated[datetime, AwareDatetime] | None, base.plain("When it was confirmed.", base.RECORDS)
    ] = None


def parse(cells: Mapping[str, str], now: datetime) -> ConsentChange:
    """The change that a line stands for. An empty cell is no value, a line break in one is a
    space. Raises Refused: column and rule, never a value."""
    filled = {name: " ".join(value.split()) for name, value in cells.items() if value and value.strip()}
    try:
        text = json.dumps(filled)
        line = SubscriberLine.model_validate_json(text)
        evidence = ConsentEvidence.model_validate_json(text)
    except ValidationError as error:
        first = reasons.field_errors(error).errors[0]
        raise Refused(RefusalCode(first.code.value), first.reason, first.field) from None
    for column, when in (("consented_at", line.consented_at), ("confirmed_at", line.confirmed_at)):
        if when is not None and when > now:
            raise Refused(RefusalCode.TIME_IMPLAUSIBLE, "lies in the future", column)
    if not any(filled.get(name) for name in _SHOWS_IT):
        raise Refused(
            RefusalCode.INVALID_FIELD, f"nothing shows this consent: fill one of {', '.join(_SHOWS_IT)}", "reference"
        )
    shown = {**evidence.model_dump(exclude_none=True), "consented_at": line.consented_at.isoformat()}
    if line.confirmed_at is not None:
        shown["confirmed_at"] = line.confirmed_at.isoformat()
    return ConsentChange(
        Kind.IMPORTED, line.purpose, Entity.STAFF, line.collection_method, line.confirmed_at or line.consented_at,
        email=line.email, language=line.language, privacy_notice=line.privacy_notice, evidence=shown,
        double_opt_in=line.confirmed_at is not None,
    )  # fmt: skip
