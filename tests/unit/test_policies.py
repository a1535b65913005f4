"""The policy's versions: which one applies when, in which language, and what a wrong file is told."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support import policies as files
from tests.support.policies import COMING, IN_FORCE, OLD
from workers import policies
from workers.errors import UsageError

PARIS = "Europe/Paris"


@pytest.mark.parametrize(
    ("now", "version"),
    [
        ("2024-04-30T21:59:59+00:00", policies.NO_VERSION),
        ("2024-04-30T22:00:00+00:00", OLD),
        ("2024-12-31T22:59:59+00:00", OLD),
        ("2024-12-31T23:00:00+00:00", IN_FORCE),
        ("2099-06-01T00:00:00+00:00", COMING),
    ],
)
def test_a_version_applies_from_midnight_where_the_controller_is(tmp_path: Path, now: str, version: str) -> None:
    loaded = policies.load(files.write(tmp_path), PARIS)
    assert loaded.version_at(datetime.fromisoformat(now)) == version


def test_a_version_is_read_in_the_language_asked_for_or_in_the_one_there_is(tmp_path: Path) -> None:
    loaded = policies.load(files.write(tmp_path), PARIS)
    assert [(one.version, one.language) for one in loaded.versions("fr")] == [
        (COMING, "en"), (IN_FORCE, "fr"), (OLD, "fr"),
    ]  # fmt: skip
    assert loaded.find("nothing", "en") is None


def test_what_is_to_come_is_told(tmp_path: Path) -> None:
    loaded = policies.load(files.write(tmp_path), PARIS)
    assert [one.version for one in loaded.coming(datetime(2024, 6, 1, tzinfo=UTC), "en")] == [IN_FORCE, COMING]


def test_each_version_is_compared_with_the_one_before(tmp_path: Path) -> None:
    loaded = policies.load(files.write(tmp_path), PARIS)
    first, second = (loaded.find(version, "en") for version in (OLD, IN_FORCE))
    assert first is not None
    assert second is not None
    assert loaded.before(second) == first
    assert loaded.before(first) is None
    assert loaded.changes(first) == []
    assert [change.kind for change in loaded.changes(second)] == ["changed", "added", "added", "added"]


def test_markdown_becomes_html_and_html_in_it_does_not(tmp_path: Path) -> None:
    found = policies.load(files.write(tmp_path), PARIS).find(IN_FORCE, "en")
    assert found is not None
    html = found.html()
    assert "<h2>Policy</h2>" in html
    assert "<h3>Cards</h3>" in html
    assert "<script" not in html


def test_without_a_folder_there_is_no_version(tmp_path: Path) -> None:
    loaded = policies.load(tmp_path / "nowhere", PARIS)
    assert loaded.versions("en") == []
    assert loaded.version_at(datetime.now(UTC)) == policies.NO_VERSION


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("draft.md", "", "name it <version>.<language>.md"),
        ("2025-02.en.md", "# No front matter", "begin with ---"),
        ("2025-02.en.md", "---\nversion: '2025-02'\n---\nText", "effective: Field required"),
        ("2025-02.en.md", "---\n- a\n---\nText", "cannot be read"),
        (
            "2025-02.en.md",
            "---\nversion: '2025-03'\neffective: 2025-02-01\nmaterial: true\nsummary: s\n---\nText",
            "name and version must be the same",
        ),
        (
            "2025-02.en.md",
            "---\nversion: '2025-02'\neffective: 2025-01-01\nmaterial: true\nsummary: s\n---\nText",
            "two versions take effect on 2025-01-01",
        ),
        (
            "2024-05.de.md",
            "---\nversion: '2024-05'\neffective: 2024-05-01\nmaterial: false\nsummary: s\n---\nText",
            "must have the same effective and material",
        ),
    ],
)
def test_a_wrong_file_is_named_with_what_to_do(tmp_path: Path, name: str, content: str, said: str) -> None:
    files.write(tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match="(?s)" + said.replace(".", r"\.")) as refusal:
        policies.load(tmp_path, PARIS)
    assert str(tmp_path) in str(refusal.value)
