"""Settings: where they come from, which wins, and what is said about wrong ones (never their value)."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from workers import settings as settings_module
from workers.errors import UsageError
from workers.mail import links
from workers.settings import Settings


@pytest.fixture(autouse=True)
def nothing_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, and no LETHE_ variable."""
    import os

    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.upper().startswith("LETHE_")]:
        monkeypatch.delenv(name)


def refusal(**overrides: object) -> str:
    with pytest.raises(UsageError) as raised:
        settings_module.load(**overrides)
    return str(raised.value)


def test_without_anything_the_defaults_hold() -> None:
    assert settings_module.load() == Settings()
    assert settings_module.load().kafka_bootstrap == "127.0.0.1:19092"


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETHE_BATCH_MAX_RECORDS", "17")
    assert settings_module.load().batch_max_records == 17


def test_lethe_toml_is_read() -> None:
    Path("lethe.toml").write_text('batch_max_records = 18\ncarriers_dir = "here"\n')
    assert settings_module.load().batch_max_records == 18
    assert settings_module.load().carriers_dir == Path("here")


def test_arguments_win_over_the_environment_over_the_file_over_what_lethe_up_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".lethe").mkdir()
    Path(".lethe/env").write_text("export LETHE_PREFIX=up.\n")
    assert settings_module.load().prefix == "up."
    Path("lethe.toml").write_text('prefix = "toml."')
    assert settings_module.load().prefix == "toml."
    monkeypatch.setenv("LETHE_PREFIX", "env.")
    assert settings_module.load().prefix == "env."
    assert settings_module.load(prefix="argument.").prefix == "argument."


SECRET = "postgresql://lethe:hunter2@db.example.com/lethe"
WRONG = {
    "LETHE_BATCH_MAX_RECORDS": ["0", "20001", "hunter2", "1.5"],
    "LETHE_PREFIX": ["hunter2 with blanks"],
    "LETHE_KAFKA_SECURITY": ["hunter2"],
    "LETHE_LOG_FORMAT": ["hunter2"],
    "LETHE_ORDERS_SHARED": ["hunter2"],
    "LETHE_RETRY_MAX_S": ["0", "hunter2"],
    "LETHE_PARKING_MAX_RATIO": ["1.01", "0"],
    "LETHE_DEDUPE_RETENTION_DAYS": ["7"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_setting_is_named_and_not_quoted(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    said = refusal()
    assert name in said
    assert "hunter2" not in said


def test_every_wrong_setting_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETHE_WEB_PORT", "0")
    monkeypatch.setenv("LETHE_PREFIX", "a b")
    lines = refusal().splitlines()
    assert len(lines) == 3
    assert {line.split(":")[0].strip() for line in lines[1:]} == {"LETHE_WEB_PORT", "LETHE_PREFIX"}


def test_an_unknown_name_in_the_file_is_refused() -> None:
    Path("lethe.toml").write_text('batch_max_recods = "hunter2"')
    said = refusal()
    assert "BATCH_MAX_RECODS" in said
    assert "hunter2" not in said


@pytest.mark.parametrize("text", ['prefix = "hunter2', "hunter2", "= hunter2", 'database_dsn = ["hunter2"]'])
def test_a_file_that_cannot_be_read_says_so_without_quoting_it(text: str) -> None:
    Path("lethe.toml").write_text(text)
    said = refusal()
    assert "lethe.toml" in said
    assert "hunter2" not in said


@pytest.mark.parametrize("form", [str, repr, lambda s: s.model_dump_json(), lambda s: str(s.model_dump())])
def test_secrets_are_never_printed(form: object) -> None:
    settings = Settings(database_dsn=SECRET, kafka_username="u", kafka_password="hunter2")
    assert "hunter2" not in form(settings)  # type: ignore[operator]  # each of them is callable


def test_settings_do_not_change_while_a_worker_runs() -> None:
    with pytest.raises(ValidationError):
        Settings().prefix = "other."  # type: ignore[misc]  # that is the point


def test_groups_and_topics_carry_the_prefix() -> None:
    settings = Settings(prefix="stage.")
    assert settings.group("shipping") == "stage.lethe.shipping"
    assert settings.topic("orders") == "stage.orders"


def test_both_kafka_clients_get_the_same_credentials() -> None:
    settings = Settings(
        kafka_bootstrap="k.example.com:9093", kafka_security="SASL_PLAINTEXT", kafka_username="u", kafka_password="p"
    )
    assert settings.kafka_client == {
        "bootstrap_servers": "k.example.com:9093",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "u",
        "sasl_plain_password": "p",
    }
    assert settings.kafka_admin == {
        "bootstrap.servers": "k.example.com:9093",
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "u",
        "sasl.password": "p",
    }


def test_without_credentials_there_is_no_sasl() -> None:
    assert set(Settings().kafka_client) == {"bootstrap_servers", "security_protocol"}
    assert set(Settings().kafka_admin) == {"bootstrap.servers", "security.protocol"}


def test_tls_brings_a_context() -> None:
    assert "ssl_context" in Settings(kafka_security="SSL").kafka_client


@pytest.mark.parametrize(
    ("name", "room"), [("unsubscribe_address", links.UNSUBSCRIBE_ROOM), ("bounce_address", links.BOUNCE_ROOM)]
)
def test_an_address_that_gets_tags_leaves_them_room(name: str, room: int) -> None:
    settings_module.load(**{name: "x" * room + "@shop.example"})
    assert f"LETHE_{name.upper()}" in refusal(**{name: "x" * (room + 1) + "@shop.example"})
