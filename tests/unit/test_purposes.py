"""The purposes file: what is wrong with it is one line that says where."""

from pathlib import Path

import pytest

from workers import purposes
from workers.errors import Refused, UsageError

GOOD = """
newsletter:
  term: dpv:DirectMarketing
  title: {en: Weekly newsletter, fr: Lettre hebdomadaire}
  needs_double_opt_in: true
  marketing: true
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "purposes.yaml"
    path.write_text(text)
    return path


def test_the_shipped_file_declares_newsletter_and_support_in_both_languages() -> None:
    declared = purposes.load(Path(__file__).parents[2] / "deploy/purposes.yaml")
    assert list(declared) == ["newsletter", "support"]
    assert all({"en", "fr"} <= purpose.title.keys() for purpose in declared.values())
    assert all(purpose.needs_double_opt_in for purpose in declared.values())


def test_a_title_in_a_language_that_is_not_declared_is_the_first_one(tmp_path: Path) -> None:
    purpose = purposes.load(write(tmp_path, GOOD))["newsletter"]
    assert (purpose.title_in("fr"), purpose.title_in("de")) == ("Lettre hebdomadaire", "Weekly newsletter")


def test_a_purpose_that_is_not_declared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not declared"):
        purposes.load(write(tmp_path, GOOD)).declared("astrology")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD.replace("newsletter:", "Newsletter:"), "Newsletter"),
        (GOOD.replace("newsletter:", "'*':"), r"\*"),
        (GOOD + GOOD, "given twice"),
        (GOOD.replace("marketing: true", "marketing: true\n  colour: red"), "colour: is not a known key"),
        (GOOD.replace("  marketing: true\n", ""), "marketing: is missing"),
        (GOOD.replace("dpv:DirectMarketing", "marketing"), "term"),
        (GOOD.replace("Weekly newsletter", "'<b>News</b>'"), "title"),
        (GOOD.replace("{en: Weekly newsletter, fr: Lettre hebdomadaire}", "{}"), "title"),
    ],
)
def test_a_wrong_file_names_the_key(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        purposes.load(write(tmp_path, text))
