"""A carrier ready to project addresses for: its file, the countries' rules, and the plans made from both."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas import country as iso_countries
from workers import errors
from workers.domain import country
from workers.domain.carrier_config import CarrierConfig
from workers.domain.plans import REST, Plan, compile_plan


@dataclass(frozen=True, slots=True, eq=False)
class Carrier:
    """One configured carrier. Plans are made when a country is first seen, then kept."""

    config: CarrierConfig
    countries: Mapping[str, country.CountryRule]
    plans: dict[str, Plan] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """The slug that orders name it by, and its topic."""
        return self.config.name

    @property
    def title(self) -> str:
        """Its name for people."""
        return self.config.title

    @property
    def fields(self) -> tuple[str, ...]:
        """Every address field that may ever go to this carrier, in the order of the wire."""
        config = self.config
        most = max(config.lines.max_count, *config.lines.max_count_to.values(), 0)
        named = [name for name in ("name", "company") if getattr(config.fields, name)]
        lines = [f"line{number}" for number in range(1, most + 1)]
        rest = [name for name in REST if getattr(config.fields, name)]
        contacts = [name for name in ("phone", "email") if getattr(config.contact, name).rule != "never"]
        return (*named, *lines, *rest, "country_code", *contacts)

    def plan(self, country_code: str) -> Plan:
        """What to do for this destination. Raises `Refused` for a country code that does not exist."""
        known = self.plans.get(country_code)
        if known is not None:
            return known
        if country_code not in iso_countries.ALPHA3:
            raise errors.Refused(
                errors.RefusalCode.ADDRESS_INVALID,
                "the country code is none of ISO 3166-1: correct it",
                "ship_to.country_code",
            )
        rule = self.countries.get(country_code, country.UNKNOWN)
        made = compile_plan(self.config, country_code, rule)
        self.plans[country_code] = made
        return made
