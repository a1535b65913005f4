"""`lethe subscribers` against a real PostgreSQL: import, list, look up, suppress, export."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.support import lethe
from tests.support.endpoints import Endpoints
from workers.cli import app
from workers.cli.local import environment
from workers.settings import Settings

NOW = datetime.now(UTC)
LINE = {
    "email": "erika@example.com", "purpose": "newsletter", "consented_at": (NOW - timedelta(days=9)).isoformat(),
    "confirmed_at": (NOW - timedelta(days=9)).isoformat(), "collection_method": "web_form",
    "privacy_notice": "2026-01", "language": "fr", "location": "https://old.example/sign-up",
}  # fmt: skip


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = lethe.prepare(stack, prefix, database, tmp_path)
    for name, value in environment.variables(settings).items():
        monkeypatch.setenv(name, value)
    return settings


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app.app, ["subscribers", *arguments])


def write(tmp_path: Path, *lines: dict[str, str]) -> str:
    path = tmp_path / "list.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(LINE))
        writer.writeheader()
        writer.writerows({**LINE, **line} for line in lines)
    return str(path)


def listed(*options: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run("ls", "--json", *options).stdout.splitlines()]


def test_an_import_says_what_it_refused_and_never_names_an_address(settings: Settings, tmp_path: Path) -> None:
    file = write(tmp_path, {}, {"email": "planted"}, {"email": "otto@example.com", "location": ""})
    dry = run("import", file, "--dry-run")
    assert dry.stdout == "1 would be added, 0 known already, 2 would be refused\n"
    assert listed() == []
    result = run("import", file)
    assert result.exit_code == 1
    assert result.stdout == "1 added, 0 known already, 2 refused\n"
    told = result.stderr.splitlines()
    assert [line.partition(":")[0] for line in told] == ["line 3, email", "line 4, reference"]
    assert "planted" not in result.output
    assert "otto" not in result.output


def test_who_left_stays_away_from_an_import(settings: Settings, tmp_path: Path) -> None:
    file = write(tmp_path, {})
    assert run("import", file).exit_code == 0
    assert run("suppress", "Erika@Example.com").stdout == "suppressed for everything; its consents have ended\n"
    again = run("import", file)
    assert again.exit_code == 1
    assert "an import never overrides that" in again.stderr
    assert [one["status"] for one in listed()] == ["ConsentWithdrawn"]


def test_a_stranger_may_be_suppressed_beforehand(settings: Settings, tmp_path: Path) -> None:
    told = run("suppress", "erika@example.com", "--objection").stdout
    assert "Lethe knew no contact" in told
    assert run("import", write(tmp_path, {})).exit_code == 1
    assert listed() == []
    shown = run("show", "erika@example.com").stdout
    assert "no contact\nsuppressed for everything: objection since" in shown


def test_the_list_shows_numbers_and_addresses_only_when_asked(settings: Settings, tmp_path: Path) -> None:
    run("import", write(tmp_path, {}, {"purpose": "support"}, {"email": "otto@example.com"}))
    assert sorted(one["purpose"] for one in listed()) == ["newsletter", "newsletter", "support"]
    assert len(listed("--purpose", "support")) == 1
    assert listed("--status", "ConsentWithdrawn") == []
    assert "erika" not in run("ls").stdout
    assert {one["email"] for one in listed("--emails")} == {"erika@example.com", "otto@example.com"}
    assert "There are more" in run("ls", "--limit", "1").stdout


def test_one_address_is_shown_with_its_history(settings: Settings, tmp_path: Path) -> None:
    run("import", write(tmp_path, {}))
    plain = run("show", "erika@example.com").stdout
    assert "newsletter: ConsentGiven since" in plain
    assert "consent.imported by staff (web_form, policy 2026-01) -> ConsentGiven" in plain
    assert "old.example" not in plain
    assert "old.example" in run("show", "erika@example.com", "--evidence").stdout
    unknown = run("show", "nobody@example.com")
    assert unknown.exit_code == 1
    assert "nothing is known" in unknown.stderr
    assert "nobody@example.com" not in unknown.stderr


def test_an_export_is_what_an_import_reads(settings: Settings, tmp_path: Path) -> None:
    run("import", write(tmp_path, {}, {"email": "otto@example.com"}, {"email": "gone@example.com"}))
    run("suppress", "gone@example.com")
    target = tmp_path / "out.csv"
    assert run("export", str(target), "--purpose", "newsletter").exit_code == 0
    assert target.stat().st_mode & 0o777 == 0o600
    assert run("export", str(target)).exit_code == 1, "it exists"
    rows = list(csv.DictReader(target.read_text("utf-8").splitlines()))
    assert sorted(row["email"] for row in rows) == ["erika@example.com", "otto@example.com"]
    again = run("import", str(target))
    assert again.stdout == "0 added, 2 known already, 0 refused\n"


def test_wrong_files_and_addresses_are_one_line(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("email;purpose\n")
    result = run("import", str(tmp_path / "x.csv"))
    assert result.exit_code == 1
    assert "columns are missing" in result.stderr
    assert "cannot be read" in run("import", str(tmp_path / "nothing.csv")).stderr
    assert "is not an address" in run("suppress", "nobody").stderr
    assert run("suppress", "a@example.com", "--purpose", "astrology").exit_code == 1
