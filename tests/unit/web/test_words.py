"""The words on the pages: every one in every language, with the same values in it."""

import re
from importlib import resources

import pytest
from jinja2.ext import babel_extract

from workers.mail.templates import LANGUAGES, catalogue
from workers.web import words
from workers.web.rendering import PACKAGE

_VALUE = re.compile(r"%\((\w+)\)s")
_OPTIONS = {"trim_blocks": "true", "lstrip_blocks": "true", "newstyle_gettext": "true"}


def _said() -> set[str]:
    """What the templates and the module of words say in English."""
    found = {words.CONSENT}
    for file in (resources.files(PACKAGE) / "templates").iterdir():
        with file.open("rb") as template:
            for _, _, message, _ in babel_extract(template, ("gettext", "_", "trans"), [], _OPTIONS):
                found.add(message if isinstance(message, str) else message[0])
    return found


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_every_word_is_translated_with_its_values(language: str) -> None:
    said, known = _said(), catalogue(language, PACKAGE)
    assert len(said) > 50
    missing = sorted(one for one in said if one not in known._catalog)
    assert not missing, f"not in {language}.po: {missing}"
    wrong = [one for one in said if sorted(_VALUE.findall(one)) != sorted(_VALUE.findall(known.gettext(one)))]
    assert not wrong, f"other values in {language}.po: {wrong}"


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_no_translation_is_left_over(language: str) -> None:
    known = {one for one in catalogue(language, PACKAGE)._catalog if one}
    assert sorted(known - _said()) == []


def test_what_is_kept_as_evidence_names_the_shop() -> None:
    assert words.consent("en", "A Shop").startswith("A Shop writes to you")
    assert words.consent("fr", "Une boutique").startswith("Une boutique ne vous écrit")
