"""Events of a person's consent to mail, on `consents`, keyed by the customer reference.

Fields have the names of ISO/IEC TS 27560 where it has one: `purpose`, `privacy_notice`, `language`,
`collection_method`, `withdrawal_method`. The event's own time (`ce_time`) is its `event_time`. A withdrawal is a new
event on the record of that address and purpose, never an overwrite.
"""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime

from schemas import base
from schemas.base import BLANK_IS_NONE, AnyPurposeName, Identifier, Language, Notice, PurposeName

EVERY_PURPOSE: Final = "*"

Email = Annotated[str, base.email(min_length=1)]
CollectionMethod = Literal["web_form", "checkout", "account", "paper", "phone", "in_person", "email"]
WithdrawalMethod = Literal["account", "paper", "phone", "in_person", "email", "other"]


class ConsentEvidence(base.Contract):
    """What shows that the person agreed (GDPR 7(1)); kept sealed under the person's key."""

    wording: Annotated[
        Annotated[str, base.text(2000), BLANK_IS_NONE] | None,
        base.plain("The words beside the box, as they were shown.", base.RECORDS, base.LEGAL_OBLIGATION),
    ] = None
    location: Annotated[
        Annotated[str, base.text(255), BLANK_IS_NONE] | None,
        base.plain("The page, form or place where it was given.", base.RECORDS, base.LEGAL_OBLIGATION),
    ] = None
    source_address: Annotated[
        Annotated[str, base.text(64), BLANK_IS_NONE] | None,
        base.personal("Network address it came from.", "pd:IPAddress", base.RECORDS, base.LEGAL_OBLIGATION),
    ] = None
    reference: Annotated[
        Annotated[str, base.text(255), BLANK_IS_NONE] | None,
        base.plain("Where the shop keeps its own proof.", base.RECORDS, base.LEGAL_OBLIGATION),
    ] = None


class DoubleOptIn(base.Contract):
    """The shop's own double opt-in: the person confirmed from the mailbox itself."""

    confirmed_at: Annotated[
        datetime,
        AwareDatetime,
        base.plain("When the link was used, RFC 3339 with zone.", base.RECORDS, base.LEGAL_OBLIGATION),
    ]
    evidence: Annotated[ConsentEvidence, base.plain("What shows it.", base.RECORDS, base.LEGAL_OBLIGATION)]


class ConsentEvent(base.Contract):
    """What every event of a consent says."""

    customer_ref: Annotated[
        Identifier,
        base.identifier("The shop's reference of the customer; the record's key; never an e-mail.", base.RECORDS),
    ]
    email: Annotated[
        Email,
        base.personal("The address that may, or may no longer, be written to.", "pd:EmailAddress", base.MARKETING,
                      base.CONSENT),
    ]  # fmt: skip


class ConsentGiven(ConsentEvent):
    """The person ticked a box. Where the purpose needs it, Lethe asks by mail for a confirmation first."""

    purpose: Annotated[
        PurposeName, base.plain("One declared purpose, such as `newsletter`.", base.MARKETING, base.CONSENT)
    ]
    privacy_notice: Annotated[
        Notice, base.plain("The version of the policy that was shown.", base.RECORDS, base.LEGAL_OBLIGATION)
    ]
    language: Annotated[
        Language, base.plain("The language it was shown in, and mails are written in.", base.COMMUNICATION)
    ]
    collection_method: Annotated[CollectionMethod, base.plain("How it was given.", base.RECORDS, base.LEGAL_OBLIGATION)]
    evidence: Annotated[ConsentEvidence, base.plain("What shows it.", base.RECORDS, base.LEGAL_OBLIGATION)]
    double_opt_in: Annotated[
        DoubleOptIn | None,
        base.plain("The shop's own double opt-in, where it made one: Lethe then asks no more.", base.RECORDS,
                   base.LEGAL_OBLIGATION),
    ] = None  # fmt: skip


class ConsentConfirmed(ConsentEvent):
    """The person confirmed a consent that Lethe or the shop had asked for."""

    purpose: Annotated[PurposeName, base.plain("The purpose that was asked for.", base.MARKETING, base.CONSENT)]
    evidence: Annotated[ConsentEvidence, base.plain("What shows it.", base.RECORDS, base.LEGAL_OBLIGATION)]


class ConsentWithdrawn(ConsentEvent):
    """The person said no. Takes effect at once and whatever else is on its way."""

    purpose: Annotated[
        AnyPurposeName,
        base.plain("One declared purpose; `*` is all of them.", base.MARKETING, base.CONSENT),
    ]
    withdrawal_method: Annotated[
        WithdrawalMethod, base.plain("How the person said so.", base.RECORDS, base.LEGAL_OBLIGATION)
    ] = "other"
