"""Settings on their way to worker processes and other commands; what the doctor shows of them."""

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from workers import settings as settings_module
from workers.cli.doctor import command as doctor
from workers.cli.local import environment
from workers.settings import Settings

DSN = "postgresql://me:topsecret@db.example.com:5432/lethe"


def chosen() -> Settings:
    return settings_module.load(database_dsn=DSN, prefix="p.", orders_shared=True, kafka_username=None)


def test_a_worker_gets_every_setting_that_was_chosen() -> None:
    assert environment.variables(chosen()) == {
        "LETHE_DATABASE_DSN": DSN,
        "LETHE_ORDERS_SHARED": "true",
        "LETHE_PREFIX": "p.",
    }


def test_other_commands_find_what_lethe_up_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".lethe").mkdir()
    environment.write(tmp_path / ".lethe" / "env", environment.variables(chosen()))
    assert settings_module.load().database_dsn == SecretStr(DSN)


def test_the_environment_wins_over_what_lethe_up_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LETHE_PREFIX", "mine.")
    (tmp_path / ".lethe").mkdir()
    environment.write(tmp_path / ".lethe" / "env", {"LETHE_PREFIX": "left."})
    assert settings_module.load().prefix == "mine."


def test_the_file_with_the_password_is_its_owners_alone(tmp_path: Path) -> None:
    environment.write(tmp_path / "env", {"LETHE_DATABASE_DSN": DSN})
    assert stat.S_IMODE((tmp_path / "env").stat().st_mode) == 0o600


def test_the_doctor_shows_settings_without_secrets() -> None:
    settings = settings_module.load(database_dsn=DSN, kafka_username="worker", kafka_password="alsosecret")
    shown = doctor.shown(settings)
    assert shown["database_dsn"] == ("db.example.com:5432/lethe (the rest is hidden)", True)
    assert shown["kafka_username"] == ("worker", True)
    assert "secret" not in " ".join(value for value, _ in shown.values())
