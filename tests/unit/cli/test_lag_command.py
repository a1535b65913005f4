"""`lethe lag` with a reading stood in for: a table for people, stable names for programs, clear errors."""

import json
from collections.abc import Iterable
from typing import ClassVar, Self

import pytest
from aiokafka.errors import KafkaConnectionError
from rich.console import Console
from typer import Typer
from typer.testing import CliRunner, Result

from workers.cli import lag as command
from workers.engine.lag_search import PartitionLag
from workers.errors import LetheError

ROWS = [
    PartitionLag("lethe.shipping", "orders", 0, committed=7, end=7, lag=0, lag_seconds=0.0),
    PartitionLag("carrier.ups.depot", "carrier.ups.addresses", 1, committed=None, end=9, lag=9, lag_seconds=75.25),
]


class FakeReader:
    """Gives the same reading each time and remembers what it was asked for."""

    asked: ClassVar[list[tuple[list[str] | None, bool]]] = []

    def __init__(self, connection: object, prefix: str) -> None:
        self.asked.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def read(self, groups: Iterable[str] | None, peek: bool) -> list[PartitionLag]:
        self.asked.append((None if groups is None else list(groups), peek))
        return ROWS


def lethe_lag(*arguments: str) -> Result:
    app = Typer()
    app.command()(command.lag)
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(autouse=True)
def reader(monkeypatch: pytest.MonkeyPatch) -> type[FakeReader]:
    monkeypatch.setattr(command, "LagReader", FakeReader)
    return FakeReader


def test_json_has_a_line_per_group_and_partition_with_stable_names() -> None:
    lines = [json.loads(line) for line in lethe_lag("--json").output.splitlines()]
    assert lines[0] == {
        "group": "lethe.shipping",
        "topic": "orders",
        "partition": 0,
        "committed": 7,
        "end": 7,
        "lag": 0,
        "lag_seconds": 0.0,
    }
    assert lines[1]["committed"] is None


def test_the_table_shows_messages_and_seconds() -> None:
    console = Console(width=120, record=True)
    console.print(command.table(ROWS))
    row = next(line for line in console.export_text().splitlines() if "carrier.ups.depot" in line)
    assert row.split() == ["carrier.ups.depot", "carrier.ups.addresses", "1", "-", "9", "9", "75.2"]


def test_without_being_told_every_group_is_read_and_no_record(reader: type[FakeReader]) -> None:
    lethe_lag()
    assert reader.asked == [(None, False)]


def test_groups_and_peek_are_passed_on(reader: type[FakeReader]) -> None:
    lethe_lag("--group", "a", "--group", "b", "--peek")
    assert reader.asked == [(["a", "b"], True)]


def test_a_broker_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(self: FakeReader) -> FakeReader:
        raise KafkaConnectionError("Unable to bootstrap\nfrom nowhere")

    monkeypatch.setattr(FakeReader, "__aenter__", fails)
    result = lethe_lag()
    assert isinstance(result.exception, LetheError)
    assert "\n" not in str(result.exception)
    assert "is the broker running?" in str(result.exception)


def test_help_shows_an_example() -> None:
    assert "Example: lethe lag --watch" in lethe_lag("--help").output
