"""Who receives a parcel and where: the whole address as the shop knows it.

Which of the optional fields a country needs is decided by the shipping rules, not here: an Irish address
may lack a postcode, a Hong Kong one has none, a Japanese one has no city outside its lines.
"""

from typing import Annotated

from pydantic import Field

from schemas import base
from schemas.base import BLANK_IS_NONE
from schemas.country import CountryCode

Line = Annotated[str, base.text(255, min_length=1)]


class Recipient(base.Contract):
    """The recipient of an order. Read from the shop; a carrier gets only the part that it needs."""

    name: Annotated[Line, base.personal("Full name of the person who receives the parcel.", "pd:Name")]
    company: Annotated[
        Annotated[str, base.text(255), BLANK_IS_NONE] | None,
        base.personal("Company at the address, if the parcel goes to one.", "pd:PhysicalAddress"),
    ] = None
    lines: Annotated[
        tuple[Line, ...],
        Field(min_length=1, max_length=4, strict=False),
        base.personal("Street lines as written on the label, most important first.", "pd:PhysicalAddress"),
    ]
    city: Annotated[
        Annotated[str, base.text(128), BLANK_IS_NONE] | None,
        base.personal("City or post town.", "pd:City"),
    ] = None
    dependent_locality: Annotated[
        Annotated[str, base.text(128), BLANK_IS_NONE] | None,
        base.personal("District, suburb or neighbourhood below the city.", "pd:PhysicalAddress"),
    ] = None
    region: Annotated[
        Annotated[str, base.text(64), BLANK_IS_NONE] | None,
        base.personal("State, province or prefecture, by name or by its postal code.", "pd:PhysicalAddress"),
    ] = None
    postal_code: Annotated[
        Annotated[str, base.text(16), BLANK_IS_NONE] | None,
        base.personal("Postcode as the country writes it.", "pd:PhysicalAddress"),
    ] = None
    country_code: Annotated[CountryCode, base.personal("Country, ISO 3166-1 alpha-2 in capitals.", "pd:Country")]
    phone: Annotated[
        Annotated[str, base.phone(), BLANK_IS_NONE] | None,
        base.personal(
            "Phone number; goes to a carrier only where its rule allows it.",
            "pd:TelephoneNumber",
            base.COMMUNICATION,
            base.CONSENT,
        ),
    ] = None
    email: Annotated[
        Annotated[str, base.email(), BLANK_IS_NONE] | None,
        base.personal(
            "E-mail address; goes to a carrier only where its rule allows it.",
            "pd:EmailAddress",
            base.COMMUNICATION,
            base.CONSENT,
        ),
    ] = None
