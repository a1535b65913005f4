"""What a carrier gets on its own topic: the minimal address of a shipment, corrections, its withdrawal; its answer.

A field that the carrier does not need is absent, not null. Readers ignore fields that they do not know.
"""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from schemas import base
from schemas.base import Carrier, Identifier
from schemas.country import CarrierCountryCode

WITHDRAWAL_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"

WithdrawalReason = Literal["cancelled", "carrier_changed", "delivered", "erased"]

Text255 = Annotated[str, base.text(255, min_length=1)]
Text128 = Annotated[str, base.text(128, min_length=1)]
Text64 = Annotated[str, base.text(64, min_length=1)]
Text16 = Annotated[str, base.text(16, min_length=1)]


class CarrierAddress(base.Contract):
    """The part of the recipient that this carrier needs, fitted to its line lengths."""

    name: Annotated[Text255 | None, base.personal("Name on the label.", "pd:Name")] = None
    company: Annotated[Text255 | None, base.personal("Company on the label.", "pd:PhysicalAddress")] = None
    line1: Annotated[Text255 | None, base.personal("First street line.", "pd:PhysicalAddress")] = None
    line2: Annotated[Text255 | None, base.personal("Second street line.", "pd:PhysicalAddress")] = None
    line3: Annotated[Text255 | None, base.personal("Third street line.", "pd:PhysicalAddress")] = None
    line4: Annotated[Text255 | None, base.personal("Fourth street line.", "pd:PhysicalAddress")] = None
    city: Annotated[Text128 | None, base.personal("City or post town.", "pd:City")] = None
    dependent_locality: Annotated[Text128 | None, base.personal("District below the city.", "pd:PhysicalAddress")] = (
        None
    )
    region: Annotated[Text64 | None, base.personal("State or province.", "pd:PhysicalAddress")] = None
    postal_code: Annotated[Text16 | None, base.personal("Postcode.", "pd:PhysicalAddress")] = None
    country_code: Annotated[
        CarrierCountryCode,
        base.personal("Country, ISO 3166-1 alpha-2 or alpha-3 as the carrier is configured.", "pd:Country"),
    ]
    phone: Annotated[
        Annotated[str, base.phone(min_length=1)] | None,
        base.personal("Phone number for this delivery only.", "pd:TelephoneNumber", base.COMMUNICATION, base.CONSENT),
    ] = None
    email: Annotated[
        Annotated[str, base.email(min_length=1)] | None,
        base.personal("E-mail address for this delivery only.", "pd:EmailAddress", base.COMMUNICATION, base.CONSENT),
    ] = None


class ShipmentAddress(base.Contract):
    """What an assigned and a corrected address have in common."""

    shipment_id: Annotated[
        Identifier, base.identifier("The shipment; the record's key; the order's number.", base.DELIVERY)
    ]
    carrier: Annotated[Carrier, base.plain("The carrier that this address is meant for.")]
    revision: Annotated[int, Field(ge=1), base.plain("Counts from 1 per shipment; a higher one replaces a lower one.")]
    address: Annotated[CarrierAddress, base.plain("Where the parcel goes.")]


class AddressAssigned(ShipmentAddress):
    """A shipment is this carrier's: its address."""


class AddressCorrected(ShipmentAddress):
    """The corrected address of a shipment that this carrier already has. It replaces the former one."""


class AddressWithdrawn(base.Contract):
    """The carrier must forget the address. A tombstone: `ce_subject` and `ce_reason` carry these fields."""

    shipment_id: Annotated[Identifier, base.identifier("The shipment to forget; the record's key.", base.DELIVERY)]
    reason: Annotated[
        WithdrawalReason,
        base.plain("Why the address is withdrawn.", base.LEGAL_COMPLIANCE, base.LEGAL_OBLIGATION),
    ]


class AddressWithdrawalAcknowledged(base.Contract):
    """The carrier's answer to a withdrawal, on its own `carrier.<name>.receipts`: it has forgotten the address, or not.

    Repeating an answer changes nothing. It becomes part of the certificate of an erasure (GDPR 19).
    """

    carrier: Annotated[Carrier, base.plain("The carrier that answers; the record's key.")]
    withdrawal_id: Annotated[
        Annotated[str, StringConstraints(pattern=WITHDRAWAL_PATTERN, max_length=128)],
        base.identifier("The `ce_id` of the withdrawal that is answered.", base.LEGAL_COMPLIANCE),
    ]
    outcome: Annotated[
        Literal["erased", "kept"],
        base.plain(
            "erased: the carrier holds the address no more. kept: it holds it on a legal ground of its own.",
            base.LEGAL_COMPLIANCE,
            base.LEGAL_OBLIGATION,
        ),
    ] = "erased"
