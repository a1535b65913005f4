"""`lethe topics` with a broker stood in for: what it prints, what it asks, how it exits."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from typer.testing import CliRunner, Result

from topics import catalogue
from topics.admin import TopicsError
from topics.plan import Actual, Change
from workers.cli import topics as command
from workers.errors import LetheError, UsageError

TOPICS = catalogue.catalogue("", ["ups"])


@dataclass
class FakeAdmin:
    """Holds topics in memory; applying is only recorded."""

    present: list[Actual] = field(default_factory=list)
    applied: list[Change] = field(default_factory=list)

    def read_actual(self, describe: Iterable[str] = ()) -> tuple[Actual, ...]:
        return tuple(self.present)

    def apply(self, changes: Iterable[Change]) -> None:
        self.applied += changes


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> FakeAdmin:
    fake = FakeAdmin()
    desk = command.Desk(TOPICS, fake, "")  # type: ignore[arg-type]  # stands in for the broker
    monkeypatch.setattr(command, "_desk", lambda: desk)
    return fake


def lethe_topics(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(command.app, list(arguments), input=answer)


def in_step() -> list[Actual]:
    return [Actual(topic.name, topic.partitions, topic.all_configs) for topic in TOPICS]


def test_plan_prints_a_line_per_change_and_changes_nothing(admin: FakeAdmin) -> None:
    result = lethe_topics("plan")
    assert result.exit_code == 0
    assert result.output.count("+ create ") == len(TOPICS)
    assert result.output.endswith(f"{len(TOPICS)} changes to make.\n")
    assert admin.applied == []


def test_plan_tells_scripts_whether_changes_are_pending(admin: FakeAdmin) -> None:
    assert lethe_topics("plan", "--detailed-exitcode").exit_code == 2
    admin.present = in_step()
    result = lethe_topics("plan", "--detailed-exitcode")
    assert (result.exit_code, result.output) == (0, "Nothing to change.\n")


def test_a_notice_alone_is_not_a_pending_change(admin: FakeAdmin) -> None:
    admin.present = [*in_step(), Actual("carrier.gls.addresses", 2, {})]
    result = lethe_topics("plan", "--detailed-exitcode")
    assert result.exit_code == 0
    assert "! carrier.gls.addresses: not in the catalogue" in result.output


def test_plan_in_json_is_one_object_a_line(admin: FakeAdmin) -> None:
    lines = [json.loads(line) for line in lethe_topics("plan", "--json").output.splitlines()]
    assert [line["topic"] for line in lines] == [topic.name for topic in TOPICS]
    assert {line["kind"] for line in lines} == {"create"}


def test_apply_without_anyone_to_ask_prints_the_plan_and_does_nothing(admin: FakeAdmin) -> None:
    result = lethe_topics("apply")
    assert result.exit_code == 2
    assert "+ create orders" in result.output
    assert "add --yes" in result.output
    assert admin.applied == []


def test_apply_yes_says_what_it_does_and_does_it(admin: FakeAdmin) -> None:
    result = lethe_topics("apply", "--yes")
    assert result.exit_code == 0
    assert "+ create orders" in result.output
    assert [change.topic for change in admin.applied] == [topic.name for topic in TOPICS]


@pytest.mark.parametrize(("answer", "exit_code", "applied"), [("y\n", 0, len(TOPICS)), ("n\n", 1, 0)])
def test_apply_asks(
    admin: FakeAdmin, monkeypatch: pytest.MonkeyPatch, answer: str, exit_code: int, applied: int
) -> None:
    monkeypatch.setattr(command, "_can_ask", lambda: True)
    result = lethe_topics("apply", answer=answer)
    assert f"Make {len(TOPICS)} changes?" in result.output
    assert (result.exit_code, len(admin.applied)) == (exit_code, applied)


def test_apply_with_nothing_to_do_does_not_ask(admin: FakeAdmin) -> None:
    admin.present = in_step()
    result = lethe_topics("apply")
    assert (result.exit_code, result.output) == (0, "Nothing to change.\n")


def test_apply_deletes_what_is_named(admin: FakeAdmin) -> None:
    admin.present = [*in_step(), Actual("carrier.gls.addresses", 2, {})]
    assert lethe_topics("apply", "--yes", "--delete", "carrier.gls.addresses").exit_code == 0
    assert [str(change) for change in admin.applied] == ["- delete carrier.gls.addresses: all its records are lost"]


def test_a_wrong_name_to_delete_is_a_usage_error(admin: FakeAdmin) -> None:
    result = lethe_topics("apply", "--yes", "--delete", "carrier.gls.addresses")
    assert isinstance(result.exception, UsageError)
    assert admin.applied == []


def test_a_broker_that_fails_is_one_line(admin: FakeAdmin, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: FakeAdmin, describe: Iterable[str] = ()) -> tuple[Actual, ...]:
        raise TopicsError("cannot list topics: no broker answers")

    monkeypatch.setattr(FakeAdmin, "read_actual", fails)
    result = lethe_topics("plan")
    assert isinstance(result.exception, LetheError)
    assert str(result.exception) == "cannot list topics: no broker answers"


def test_show_tells_the_state_of_each_topic(admin: FakeAdmin) -> None:
    admin.present = [Actual("orders", 4, TOPICS[0].all_configs), Actual("relay.positions", 4, {})]
    lines = [json.loads(line) for line in lethe_topics("show", "--json").output.splitlines()]
    missing = dict.fromkeys((topic.name for topic in TOPICS), "missing")
    states = {line["name"]: line["state"] for line in lines}
    assert states == {**missing, "orders": "in step", "relay.positions": "differs"}
    assert lines[1]["consume"] == ["carrier.ups"]
    table = lethe_topics("show").output
    assert all(topic.name in table for topic in TOPICS)


@pytest.mark.parametrize("name", ["plan", "apply", "show"])
def test_help_shows_an_example(name: str) -> None:
    assert f"Example: lethe topics {name}" in lethe_topics(name, "--help").output
