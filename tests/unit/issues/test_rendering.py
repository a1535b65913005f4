"""An issue from its file to what is sent."""

import re
from pathlib import Path

import pytest

from tests.support.lethe import ROOT
from workers import purposes
from workers.errors import UsageError
from workers.issues import issue_file, rendering
from workers.mail.composer import UNSUBSCRIBE_URL

DECLARED = purposes.load(ROOT / "deploy/purposes.yaml")
FRONT = "---\nsubject: S\npreheader: P\npurpose: newsletter\n---\n"
TITLES = {"en": "Weekly newsletter", "fr": "Lettre hebdomadaire"}


def written(folder: Path, body: str = "Hello", front: str = FRONT, language: str = "en") -> Path:
    (folder / f"one.{language}.md").write_text(front + body, "utf-8")
    return folder


def test_the_example_says_the_same_in_text_and_html() -> None:
    contents = rendering.render(issue_file.read(ROOT / "deploy/newsletters", "example", DECLARED), "Shop", TITLES)
    assert set(contents) == {"en", "fr"}
    for language, content in contents.items():
        assert f'<html lang="{language}">' in content.html
        assert content.html.count(UNSUBSCRIBE_URL) == 1
        assert content.text.count(UNSUBSCRIBE_URL) == 1
        assert max(map(len, content.text.splitlines())) <= 100
        assert "https://shop.example/res" in content.text
        assert "<" not in content.text
    assert "\n- rinse it twice\n" in contents["en"].text


MARKDOWN = """\
## Two *parts*

> A quote of [our pages](https://shop.example/a).
>
> Its end.

1. one
   - one a
   - one b
2. two, which is long enough that it has to go on in a second line of the text as well

- loose

- items

Write to <me@shop.example> or see <https://shop.example/b>.\\
![A part](https://shop.example/part.png)

    G28

---
"""
TEXT = """\
Two parts
---------

> A quote of our pages (https://shop.example/a).
>
> Its end.

1. one
   - one a
   - one b
2. two, which is long enough that it has to go on in a second line of the
   text as well

- loose

- items

Write to me@shop.example or see https://shop.example/b.
A part

    G28

* * *

--"""


def test_the_text_reads_as_well_without_the_page(tmp_path: Path) -> None:
    contents = rendering.render(issue_file.read(written(tmp_path, MARKDOWN), "one", DECLARED), "Shop", TITLES)
    assert contents["en"].text.startswith(TEXT)


@pytest.mark.parametrize(
    "body", ["<script>alert(1)</script>", "[x](javascript:alert(1))", "<img src=x onerror=alert(1)>"]
)
def test_nothing_in_the_text_becomes_a_program(tmp_path: Path, body: str) -> None:
    contents = rendering.render(issue_file.read(written(tmp_path, body), "one", DECLARED), "Shop", TITLES)
    assert not re.search(r"<script|<img|href=\"javascript", contents["en"].html)


def test_who_speaks_another_language_gets_the_first() -> None:
    contents = {"fr": rendering.Content("s", "t", "h")}
    assert rendering.in_language(contents, "de") is contents["fr"]


@pytest.mark.parametrize(
    ("front", "said"),
    [
        ("Hello\n", "does not begin with a front matter"),
        ("---\nsubject: [\n---\n", "not YAML"),
        ("---\npreheader: P\n---\n", "subject: Field required"),
        ("---\nsubject: S\nfont: big\n---\n", "font: Extra inputs"),
        ("---\nsubject: S\npurpose: lottery\n---\n", "'lottery' is not declared"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, front: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        issue_file.read(written(tmp_path, front=front), "one", DECLARED)


def test_a_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lower-case letters"):
        issue_file.read(tmp_path, "../one", DECLARED)
