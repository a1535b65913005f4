"""A carrier file and a country's rule compiled into what the projection of one address has to do."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from re import Pattern

from schemas import country as iso_countries
from schemas.recipient import Recipient
from workers.domain import contact_rules
from workers.domain.carrier_config import CarrierConfig, Contact, FieldLimit
from workers.domain.contact_rules import Sending
from workers.domain.country import CountryRule

REST = ("city", "dependent_locality", "region", "postal_code")


def size_bytes(text: str) -> int:
    """Length in UTF-8."""
    return len(text.encode())


@dataclass(frozen=True, slots=True)
class FieldStep:
    """One field: sent if present, refused if `required` and absent or if longer than `max_length`."""

    name: str
    max_length: int
    required: bool
    pattern: Pattern[str] | None = None
    remove_separators: bool = False


@dataclass(frozen=True, slots=True)
class ContactStep:
    """Phone or e-mail: sent if `required`, or if the person agreed and it fits.

    `enough` matches what begins with at least `min_digits` digits, whatever is between them.
    """

    name: str
    max_length: int
    min_digits: int
    enough: Pattern[str] | None
    required: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """All that depends on carrier and country alone."""

    carrier: str
    country_code: str
    measure: Callable[[str], int]
    name: FieldStep
    company: FieldStep | None
    name_continues_in_company: bool
    line_limits: tuple[int, ...]
    locality_is_a_line: bool
    rest: tuple[FieldStep, ...]
    read_rest: Callable[[Recipient], tuple[str | None, ...]]
    postal_code_example: str | None
    contacts: tuple[ContactStep, ...]


def compile_plan(config: CarrierConfig, country_code: str, rule: CountryRule) -> Plan:
    """The plan for one carrier and one destination (alpha-2)."""
    steps = {
        name: _field_step(name, limit, country_code, rule)
        for name in ("name", "company", *REST)
        if (limit := getattr(config.fields, name)) is not None and _is_sent(name, limit, country_code, rule)
    }
    rest = tuple(name for name in REST if name in steps)
    contacts = (
        _contact_step("phone", config.contact.phone, config.origin_country, country_code),
        _contact_step("email", config.contact.email, config.origin_country, country_code),
    )
    return Plan(
        carrier=config.name,
        country_code=iso_countries.alpha3(country_code) if config.country_code_form == "alpha-3" else country_code,
        measure=len if config.unit == "characters" else size_bytes,
        name=steps["name"],
        company=steps.get("company"),
        name_continues_in_company=config.name_continues_in_company,
        line_limits=config.lines.limits(country_code),
        locality_is_a_line=config.lines.take_dependent_locality,
        rest=tuple(steps[name] for name in rest),
        # The country code only keeps attrgetter returning a tuple when a carrier takes a single field.
        read_rest=attrgetter(*rest, "country_code"),
        postal_code_example=rule.example,
        contacts=tuple(step for step in contacts if step is not None),
    )


def _is_sent(name: str, limit: FieldLimit, country_code: str, rule: CountryRule) -> bool:
    if name == "name":
        return True
    if limit.only_to and country_code not in limit.only_to:
        return False
    return not limit.where_used or name in rule.uses


def _field_step(name: str, limit: FieldLimit, country_code: str, rule: CountryRule) -> FieldStep:
    return FieldStep(
        name=name,
        max_length=limit.max_length,
        required=name in rule.required if limit.required == "by_country" else limit.required,
        pattern=rule.postal_code if name == "postal_code" else None,
        remove_separators=country_code in limit.remove_separators_to,
    )


def _contact_step(name: str, contact: Contact, origin: str, country_code: str) -> ContactStep | None:
    route = contact_rules.Route(origin, country_code, frozenset(contact.countries))
    sending = contact_rules.RULES[contact.rule](route)
    if sending is Sending.NEVER:
        return None
    return ContactStep(
        name=name,
        max_length=contact.max_length,
        min_digits=contact.min_digits,
        enough=re.compile(rf"(?:[^0-9]*[0-9]){{{contact.min_digits}}}") if contact.min_digits else None,
        required=sending is Sending.REQUIRED,
    )
