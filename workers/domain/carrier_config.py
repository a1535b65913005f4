"""A carrier as its file in `deploy/carriers/` describes it: what may go to it, how long, and by whose word.

Every limit names its source. Nothing is sent that a file does not list.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas import base, country
from workers.domain import contact_rules

MAX_LINES = 4


def _known_country(code: str) -> str:
    if code not in country.ALPHA3:
        raise ValueError("is no ISO 3166-1 alpha-2 country code in capital letters")
    return code


def _known_rule(name: str) -> str:
    if name not in contact_rules.RULES:
        raise ValueError(f"is no contact rule; there are: {', '.join(contact_rules.RULES)}")
    return name


Country = Annotated[str, AfterValidator(_known_country)]
Countries = Annotated[tuple[Country, ...], Field(strict=False)]
Length = Annotated[int, Field(ge=1, le=255)]
Lengths = Annotated[tuple[Length, ...], Field(strict=False)]
Link = Annotated[str, StringConstraints(pattern=r"^https://\S+$")]
Source = Annotated[str, StringConstraints(min_length=8, strip_whitespace=True)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class FieldLimit(_Part):
    """One address field that the carrier takes.

    `required`: always, never, or where the country's addresses need it. `only_to`: sent to these countries
    only (empty: to all). `where_used`: sent only where the country's addresses are written with it.
    `remove_separators_to`: for these countries the carrier wants the postcode without spaces and hyphens.
    """

    max_length: Length
    required: bool | Literal["by_country"] = False
    only_to: Countries = ()
    where_used: bool = False
    remove_separators_to: Countries = ()
    source: Source


class Fields(_Part):
    """The allow-list besides street lines, country code and contact data."""

    name: FieldLimit
    company: FieldLimit | None = None
    city: FieldLimit | None = None
    dependent_locality: FieldLimit | None = None
    region: FieldLimit | None = None
    postal_code: FieldLimit | None = None


class Lines(_Part):
    """Street lines. `max_count_to` sets another number for some countries; `max_length` may differ by line.

    `take_dependent_locality`: the carrier has no field for it, so it becomes the last street line.
    """

    max_count: int = Field(ge=1, le=MAX_LINES)
    max_length: Length | Lengths
    max_count_to: dict[Country, Annotated[int, Field(ge=1, le=MAX_LINES)]] = {}
    take_dependent_locality: bool = False
    source: Source

    @model_validator(mode="after")
    def _enough_lengths(self) -> Self:
        most = max(self.max_count, *self.max_count_to.values()) if self.max_count_to else self.max_count
        if isinstance(self.max_length, tuple) and len(self.max_length) < most:
            raise ValueError(f"max_length names {len(self.max_length)} lines, but {most} are allowed")
        return self

    def limits(self, country_code: str) -> tuple[int, ...]:
        """The length of each line that may be used towards a country."""
        count = self.max_count_to.get(country_code, self.max_count)
        if isinstance(self.max_length, tuple):
            return self.max_length[:count]
        return (self.max_length,) * count


class Contact(_Part):
    """When a phone number or e-mail address goes: a rule of `contact_rules` and the countries it lists."""

    rule: Annotated[str, AfterValidator(_known_rule)]
    countries: Countries = ()
    max_length: Length = 255
    min_digits: int = Field(default=0, ge=0, le=15)
    source: Source


class Contacts(_Part):
    """Both ways to reach the recipient."""

    phone: Contact
    email: Contact


class CarrierConfig(_Part):
    """One carrier file.

    `documentation`: public links in which each limit's `source` is found. `name_continues_in_company`: the
    carrier's second name line takes the rest of a long name when no company is given. `unit`: what the
    carrier counts in its lengths, after Unicode NFC.
    """

    name: base.Carrier
    title: Annotated[str, StringConstraints(min_length=1)]
    documentation: Annotated[tuple[Link, ...], Field(min_length=1, strict=False)]
    origin_country: Country
    country_code_form: Literal["alpha-2", "alpha-3"]
    country_code_source: Source
    unit: Literal["characters", "bytes"] = "characters"
    name_continues_in_company: bool = False
    fields: Fields
    lines: Lines
    contact: Contacts

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.name_continues_in_company and self.fields.company is None:
            raise ValueError("name_continues_in_company needs fields.company")
        if self.lines.take_dependent_locality and self.fields.dependent_locality:
            raise ValueError("lines.take_dependent_locality and fields.dependent_locality exclude each other")
        return self
