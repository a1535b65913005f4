"""The `lethe` command as a whole: help, errors and exit codes."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from typer.core import TyperGroup
from typer.testing import CliRunner, Result

from workers.cli import app as lethe
from workers.cli import failures, migrate
from workers.errors import KeyMissing, LetheError

HEAVY = {"aiohttp", "aiokafka", "asyncio", "asyncpg", "confluent_kafka", "faust", "pydantic", "schemas"}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(lethe.app, list(arguments))


def every_command() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name in lethe.COMMANDS:
        command = lethe.load(name)
        below = sorted(command.commands) if isinstance(command, TyperGroup) else []
        found += [(name, each) for each in below] or [(name,)]
    return found


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    async def fail(settings: object, say: Callable[[str], object]) -> None:
        raise error

    monkeypatch.setattr(migrate, "prepare", fail)


@pytest.mark.parametrize("command", every_command(), ids=" ".join)
def test_help_of_every_command_shows_an_example_of_it(command: tuple[str, ...]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert f"Example: lethe {' '.join(command)}" in " ".join(result.output.split())


def test_the_overview_lists_every_command_without_importing_one() -> None:
    script = "import sys; from workers.cli import app; app.load = None; app.app(['--help'], standalone_mode=False)"
    heavy = f"; print(sorted({HEAVY} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script + heavy], capture_output=True, text=True, check=True)
    assert all(f" {name} " in done.stdout for name in lethe.COMMANDS)
    assert done.stdout.endswith("[]\n")


def test_a_misspelt_option_is_a_usage_error() -> None:
    assert run("migrate", "--nope").exit_code == 2


def test_an_error_of_ours_is_one_line_and_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, LetheError("the moon is away: wait for it"))
    result = run("migrate")
    assert result.exit_code == 1
    assert result.stderr == "lethe: the moon is away: wait for it\n"


def test_what_a_person_must_mend_first_has_an_exit_code_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, KeyMissing("no key"))
    assert run("migrate").exit_code == 78


def test_an_unexpected_error_is_named_but_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, ValueError("Erika Beispiel"))
    result = run("migrate")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "ValueError" in result.stderr
    assert "--debug" in result.stderr
    assert "Erika" not in result.output


def test_debug_shows_where_it_happened_and_still_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, ValueError("Erika Beispiel"))
    result = run("--debug", "migrate")
    assert "test_app.py" in result.stderr
    assert "Erika" not in result.output


def test_ctrl_c_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, KeyboardInterrupt())
    result = run("migrate")
    assert result.exit_code == 130
    assert result.stderr == "lethe: interrupted\n"


def test_a_reader_that_has_gone_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "_discard_output", lambda: None)
    fail_with(monkeypatch, BrokenPipeError())
    result = run("migrate")
    assert (result.exit_code, result.stderr) == (1, "")


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [
        ("LETHE_KAFKA_BOOTSTRAP", "127.0.0.1:1", "LETHE_KAFKA_BOOTSTRAP"),
        ("LETHE_DATABASE_DSN", "postgresql://me:topsecret@127.0.0.1:1/nowhere", "LETHE_DATABASE_DSN"),
    ],
)
def test_a_server_that_is_away_is_one_line_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, named: str
) -> None:
    monkeypatch.setenv(setting, value)
    result = run("publish" if "KAFKA" in setting else "dlq", "-" if "KAFKA" in setting else "ls")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert named in result.stderr
    assert "topsecret" not in result.output
