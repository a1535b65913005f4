"""`lethe newsletter` on a real PostgreSQL and a real SMTP server: from an empty folder to an issue that is sent."""

import asyncio
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.support import issues, lethe, people
from tests.support.endpoints import Endpoints
from tests.support.smtp_server import SmtpServer, smtp_server
from tests.support.worker_process import worker_process
from workers.cli import app
from workers.cli.local import environment
from workers.settings import Settings
from workers.vault import keyring as keyrings


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with smtp_server() as running:
        yield running


@pytest.fixture
def settings(
    stack: Endpoints, prefix: str, database: str, tmp_path: Path, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Found by commands through the environment; issues are written in `tmp_path`."""
    settings = lethe.prepare(
        stack, prefix, database, tmp_path, smtp_port=server.port, dkim_dir=tmp_path / "none", time_zone="Asia/Tokyo"
    )
    for name, value in environment.variables(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return settings


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app.app, ["newsletter", *arguments], input=answer)


def write() -> None:
    assert run("new", "one").exit_code == 0


def subscribe(settings: Settings, *emails: str, language: str = "en") -> None:
    async def store() -> None:
        async with issues.database(settings) as connection:
            await people.subscribe(connection, keyrings.load(settings.keyring_dir), emails, language)

    asyncio.run(store())


def parsed(raw: bytes) -> Any:
    return message_from_bytes(raw, policy=policy.default)


def test_a_new_issue_is_ready_to_be_looked_at_as_received(settings: Settings) -> None:
    write()
    assert run("new", "one").exit_code == 1, "what is there is not overwritten"
    result = run("preview", "one")
    assert result.exit_code == 0, result.output
    assert "fr: Ce qui s'est passé cette semaine (" in result.stdout
    mail = parsed(Path(".lethe/preview/one.en.eml").read_bytes())
    page, text = (Path(f".lethe/preview/one.en.{kind}").read_text() for kind in ("html", "txt"))
    assert mail.get_body(("html",)).get_content().replace("\r\n", "\n") == page
    assert mail.get_body(("plain",)).get_content().replace("\r\n", "\n") == text
    link = mail["List-Unsubscribe"].partition("<")[2].partition(">")[0]
    assert link.startswith(f"{settings.public_url}/u/")
    assert link in page
    assert link in text


def test_a_test_goes_to_ones_own_mailbox_and_leaves_no_trace(settings: Settings, server: SmtpServer) -> None:
    write()
    result = run("test", "one", "--to", "me@example.org", "--to", "you@example.org")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == "mail 1 of 4 (en): the mail server took it (250)"
    assert server.recipients() == ["me@example.org"] * 2 + ["you@example.org"] * 2
    assert parsed(server.taken[0].content)["Subject"] == "[Test] What happened this week"
    assert run("ls").stdout == "no issue was scheduled yet\n"


def test_a_test_that_is_refused_says_so(settings: Settings, server: SmtpServer) -> None:
    write()
    server.behaviour.at_rcpt = lambda _: "550 5.1.1 no such user"
    result = run("test", "one", "--to", "planted@example.org")
    assert result.exit_code == 1
    assert "mail 2 of 2 (fr): the mail server refused it (550)" in result.stderr
    assert "planted" not in result.output
    assert run("test", "one", "--to", "nonsense").exit_code == 1


def test_it_is_scheduled_in_the_shops_time_zone(settings: Settings) -> None:
    write()
    subscribe(settings, "ada@example.org")
    result = run("schedule", "one", "--at", "2099-03-01 09:00")
    assert result.stdout == (
        "one (en, fr) to 1 person who agreed to newsletter as of now, on Sunday 2099-03-01 09:00 Asia/Tokyo\n"
    )
    assert run("ls").stdout.split() == ["one", "scheduled", "newsletter", "2099-03-01", "09:00", "Asia/Tokyo"]
    late = run("schedule", "one", "--at", "2020-03-01 09:00")
    assert (late.exit_code, "has passed: give a later time" in late.stderr) == (1, True)
    assert run("schedule", "two").exit_code == 1, "there is no such file"


def test_it_is_sent_at_once_to_each_in_their_language_and_followed_to_its_end(
    settings: Settings, server: SmtpServer
) -> None:
    write()
    subscribe(settings, "ada@example.org", "bob@example.org")
    subscribe(settings, "eve@example.org", language="fr")
    refused = run("send", "one", answer="n\n")
    assert (refused.exit_code, run("ls").stdout) == (1, "no issue was scheduled yet\n")
    assert "one (en, fr) to 3 people who agreed to newsletter, now?" in refused.stderr
    with worker_process(settings, ["mailer"]):
        result = run("send", "one", "--yes")
    assert result.exit_code == 0, result.output
    told = result.stdout.splitlines()
    assert told[0].startswith("one: sent, 3 recipients, ")
    assert [line.split() for line in told[1:]] == [["sent", "3"]]
    subjects = {one.recipients[0]: parsed(one.content)["Subject"] for one in server.taken}
    assert subjects == {
        "ada@example.org": "What happened this week",
        "bob@example.org": "What happened this week",
        "eve@example.org": "Ce qui s'est passé cette semaine",
    }
    again = run("send", "one", "--yes")
    assert (again.exit_code, "is sent already" in again.stderr) == (1, True)


def test_it_is_paused_resumed_and_cancelled(settings: Settings) -> None:
    write()
    run("schedule", "one", "--at", "2099-03-01 09:00")
    assert run("pause", "one").stdout == "one is paused\n"
    assert run("show", "one", "--watch").stdout.startswith("one: paused, 0 recipients so far, 2099-03-01")
    assert run("resume", "one").stdout == "one is scheduled\n"
    assert run("cancel", "one").stdout == "one is cancelled\n"
    assert "it cannot become sending" in run("resume", "one").stderr
    assert "no issue is called two" in run("show", "two").stderr
