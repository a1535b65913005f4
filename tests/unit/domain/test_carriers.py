"""Carrier files: the shipped ones are complete and sourced, wrong ones are refused in one clear line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from workers import carriers, errors
from workers.domain.carrier_config import CarrierConfig

DIRECTORY = Path(__file__).parents[3] / "deploy" / "carriers"
FILES = sorted(DIRECTORY.glob("*.yaml"))


def limits(part: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every part of a carrier file that sets a limit or a rule, with its path."""
    if not isinstance(part, dict):
        return []
    found = [(path, part)] if {"max_length", "rule"} & part.keys() else []
    return found + [each for key, value in part.items() for each in limits(value, f"{path}.{key}")]


def wrong(tmp_path: Path, old: str, new: str, name: str = "ups.yaml") -> str:
    """The error for the file of UPS with one text replaced."""
    text = (DIRECTORY / "ups.yaml").read_text("utf-8")
    assert old in text
    (tmp_path / name).write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(errors.UsageError) as caught:
        carriers.load(tmp_path)
    return str(caught.value).removeprefix(f"{tmp_path}/")


def test_the_six_carriers_are_there() -> None:
    assert list(carriers.load(DIRECTORY)) == [
        "colissimo",
        "dhl-express",
        "dhl-parcel-de",
        "fedex",
        "gls",
        "ups",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_limit_and_rule_names_its_source(path: Path) -> None:
    content = yaml.safe_load(path.read_text("utf-8"))
    parts = limits(content)

    assert content["documentation"]
    assert len(parts) >= 7
    for where, part in parts:
        assert len(part.get("source", "")) > 15, where


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_may_leave_is_what_the_file_lists(path: Path) -> None:
    carrier = carriers.load(DIRECTORY)[path.stem]

    assert carrier.name == path.stem
    assert carrier.title
    assert {"name", "line1", "city", "country_code"} <= set(carrier.fields)
    assert len(carrier.fields) == len(set(carrier.fields))


def test_a_country_plan_is_made_once() -> None:
    carrier = carriers.load(DIRECTORY)["ups"]

    assert carrier.plan("DE") is carrier.plan("DE")
    assert set(carrier.plans) == {"DE"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "max_length: 30",
            "max_length: long",
            "ups.yaml: fields.city.max_length: Input should be a valid integer",
        ),
        (
            "max_count: 3",
            "max_count: 5",
            "ups.yaml: lines.max_count: Input should be less than or equal to 4",
        ),
        (
            "  city:",
            "  town:",
            "ups.yaml: fields.town: is not a known key: remove it or correct its spelling",
        ),
        ("title: UPS\n", "", "ups.yaml: title: is missing: add it"),
        (
            "rule: with_consent",
            "rule: always",
            "ups.yaml: contact.email.rule: is no contact rule; there are: never, with_consent, required, "
            "with_consent_outside_origin, required_cross_border, required_to_listed",
        ),
        (
            "only_to: [US, CA]",
            "only_to: [USA]",
            "ups.yaml: fields.region.only_to.0: is no ISO 3166-1 alpha-2 country code in capital letters",
        ),
        (
            "title: UPS",
            "title: UPS\ntitle: United",
            "ups.yaml: line 4 is not valid YAML: key 'title' is given twice",
        ),
        ("title: UPS", "title: [UPS", "ups.yaml: line 4 is not valid YAML: expected"),
        ("name: ups", "name: usp", "ups.yaml: name is 'usp': rename the file to usp.yaml or correct it"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    error = wrong(tmp_path, old, new)

    assert error.startswith(message)
    assert "\n" not in error


def test_a_limit_without_source_is_refused(tmp_path: Path) -> None:
    error = wrong(tmp_path, '    source: "ShipTo_Address.City: required, maxLength 30"\n', "")

    assert error == "ups.yaml: fields.city.source: is missing: add it"


def test_no_files_is_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(errors.UsageError, match=r"no carrier files \(\*\.yaml\) in .*: set the carriers' directory"):
        carriers.load(tmp_path)


def test_norway_is_a_country_and_not_a_boolean(tmp_path: Path) -> None:
    text = (DIRECTORY / "ups.yaml").read_text("utf-8").replace("only_to: [US, CA]", "only_to: [NO]")
    (tmp_path / "ups.yaml").write_text(text, "utf-8")

    region = carriers.load(tmp_path)["ups"].config.fields.region

    assert region is not None
    assert region.only_to == ("NO",)


def test_lines_need_a_length_each() -> None:
    content = yaml.safe_load((DIRECTORY / "ups.yaml").read_text("utf-8"))
    content["lines"]["max_length"] = [35, 35]

    with pytest.raises(ValueError, match="max_length names 2 lines, but 3 are allowed"):
        CarrierConfig.model_validate(content)
