"""`lethe stores`: what a person sees of the stores."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from tests.support import lethe
from tests.support.endpoints import Endpoints
from tests.support.sites.folder import FolderSite
from tests.support.stores import customers, task
from workers.cli import app, connections
from workers.cli.local import environment
from workers.settings import Settings
from workers.stores import directory, jwe
from workers.stores.jobs import Jobs
from workers.vault import keyring


@pytest.fixture
def site(tmp_path: Path) -> FolderSite:
    return FolderSite(tmp_path)


@pytest.fixture
def settings(
    stack: Endpoints, prefix: str, database: str, tmp_path: Path, site: FolderSite, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    folder = tmp_path / "stores"
    folder.mkdir()
    head = site.store.model_dump(mode="json", exclude={"public_key"})
    files: dict[str, dict[str, object]] = {
        "exports": head,
        "off": {**head, "name": "off", "enabled": False},
        "nowhere": {**head, "name": "nowhere", "options": {**site.options, "path": "/nowhere"}},
        "erp": {"name": "erp", "title": "ERP", "kind": "external", "identifiers": ["email"],
                "public_key": jwe.public_text(jwe.generate())},
    }  # fmt: skip
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    made = lethe.prepare(stack, prefix, database, tmp_path, stores_dir=folder)
    for name, value in environment.variables(made).items():
        monkeypatch.setenv(name, value)
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app.app, ["stores", *arguments])


async def waits(settings: Settings, name: str) -> None:
    """One task waits for a store."""
    at = directory.load(settings.stores_dir, settings.keyring_dir)[name]
    jobs = Jobs(keyring.load(settings.keyring_dir), settings, "test")
    async with connections.database(settings) as connection, connection.transaction():
        await jobs.add(connection, [task(at, "erase", customers(1))], datetime.now(UTC) - timedelta(hours=1))


def test_the_list_says_what_waits_and_what_is_wrong(settings: Settings) -> None:
    lethe.in_a_loop(waits(settings, "off"))
    rows = {row["store"]: row for row in map(json.loads, run("ls", "--json").stdout.splitlines())}
    assert {name: (row["state"], row["waiting"], row["well"]) for name, row in rows.items()} == {
        "erp": ("answers itself", 0, True),
        "exports": ("ready", 0, True),
        "nowhere": ("ready", 0, True),
        "off": ("disabled", 1, False),
    }
    assert "off" in run("ls").stdout
    (settings.stores_dir / "off.yaml").unlink()
    assert "has no file" in run("ls").stdout


def test_the_check_reaches_each_store(settings: Settings) -> None:
    all_of_them = run("check")
    assert all_of_them.exit_code == 1
    assert "1 files match *.csv (csv)" in all_of_them.stdout
    assert "/nowhere is no directory" in all_of_them.stdout
    assert "off" not in all_of_them.stdout
    assert run("check", "exports", "erp").exit_code == 0
    unknown = run("check", "exprots")
    assert unknown.exit_code == 1
    assert "no store is called exprots" in unknown.output


def test_keys_are_made_once_and_shown(settings: Settings) -> None:
    (settings.keyring_dir / "stores/exports.key").unlink()
    assert "has no key" in run("ls").stdout
    first = run("keys").stdout
    assert first.count("created now") == 1
    again = run("keys").stdout
    assert "created now" not in again
    assert again.split()[1::2] == first.replace("  created now: back up the keyring", "").split()[1::2]


def test_a_new_key_for_another_system_is_kept_nowhere(settings: Settings) -> None:
    key = json.loads(run("keys", "--new").stdout)
    assert (key["kty"], key["crv"]) == ("OKP", "X25519")
    assert {"x", "d"} <= set(key)
