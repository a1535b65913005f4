"""What each country's addresses need, as read from the address data."""

import pytest

from workers import countries
from workers.domain import country

RULES = countries.load()


@pytest.mark.parametrize(
    ("code", "required"),
    [
        ("DE", {"lines", "city", "postal_code"}),
        ("US", {"lines", "city", "region", "postal_code"}),
        ("IE", {"lines", "city"}),
        ("HK", {"lines", "region"}),
        ("AE", {"lines", "region"}),
        ("JP", {"lines", "region", "postal_code"}),
        ("SG", {"lines", "postal_code"}),
    ],
)
def test_required_fields(code: str, required: set[str]) -> None:
    assert RULES[code].required == required


@pytest.mark.parametrize(
    ("code", "postal_code"),
    [
        ("DE", "50667"),
        ("US", "10001"),
        ("US", "94105-1420"),
        ("CA", "M5V 2A5"),
        ("GB", "EC1A 1BB"),
        ("NL", "1012AB"),
        ("NL", "1012 ab"),
        ("CH", "8001"),
        ("CH", "CH-8001"),
        ("LU", "L-1661"),
        ("BR", "01310-100"),
        ("IE", "T12 W8KP"),
    ],
)
def test_postcodes_that_people_write_are_accepted(code: str, postal_code: str) -> None:
    pattern = RULES[code].postal_code

    assert pattern is not None
    assert pattern.fullmatch(postal_code)


@pytest.mark.parametrize(
    ("code", "postal_code"),
    [("DE", "5066"), ("DE", "506671"), ("US", "1000"), ("CA", "M5V"), ("PL", "00590"), ("CH", "DE-8001")],
)
def test_postcodes_of_another_form_are_not(code: str, postal_code: str) -> None:
    pattern = RULES[code].postal_code

    assert pattern is not None
    assert not pattern.fullmatch(postal_code)


@pytest.mark.parametrize("code", ["HK", "AE"])
def test_countries_without_postcodes_have_no_pattern(code: str) -> None:
    assert RULES[code].postal_code is None


def test_the_example_of_every_country_matches_its_own_pattern() -> None:
    with_example = {code: rule for code, rule in RULES.items() if rule.postal_code and rule.example}

    assert len(with_example) > 150
    for code, rule in with_example.items():
        assert rule.postal_code is not None
        assert rule.postal_code.fullmatch(rule.example or ""), code


def test_regions_are_known_to_be_written_in_some_countries_only() -> None:
    assert "region" in RULES["US"].uses
    assert "region" not in RULES["DE"].uses


def test_an_unknown_country_needs_lines_and_a_city_and_may_use_everything() -> None:
    assert country.UNKNOWN.required == {"lines", "city"}
    assert {"region", "postal_code", "dependent_locality"} <= country.UNKNOWN.uses


def test_all_countries_are_read() -> None:
    assert len(countries.load()) > 240
