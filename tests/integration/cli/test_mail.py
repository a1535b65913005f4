"""`lethe mail` against a real PostgreSQL and a real SMTP server: list, look at, send again, keys, a test."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from tests.support import lethe, received
from tests.support.endpoints import Endpoints
from tests.support.smtp_server import Behaviour, SmtpServer, smtp_server
from workers.cli import app
from workers.cli.local import environment
from workers.mail import dkim
from workers.mail.desk import MailDesk
from workers.settings import Settings
from workers.vault import keyring as keyrings
from workers.vault.subjects import SubjectVault


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    behaviour = Behaviour(at_rcpt=lambda to: "550 5.1.1 no such user" if to.startswith("nobody") else None)
    with smtp_server(behaviour) as running:
        yield running


@pytest.fixture
def settings(
    stack: Endpoints, prefix: str, database: str, tmp_path: Path, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    settings = lethe.prepare(
        stack, prefix, database, tmp_path, smtp_port=server.port, dkim_dir=tmp_path / "dkim", smtp_timeout_s=5
    )
    for name, value in environment.variables(settings).items():
        monkeypatch.setenv(name, value)
    return settings


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app.app, ["mail", *arguments])


def post(settings: Settings, to: str, state: str, class_: str = "statutory") -> int:
    """A mail that stands in the ledger as `state`."""

    async def work() -> int:
        connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
        ring = keyrings.load(settings.keyring_dir)
        async with connection.transaction():
            hash_ = ring.lookup_hash("email", to.encode())
            subject = (await SubjectVault(ring).hold(connection, [hash_]))[hash_]
            mail_id = await MailDesk().post(
                connection, subject, to=to, template="contact_acknowledged", language="fr",
                values={"reference": "Q-\x1b[2J", "date": "today"}, now=datetime.now(UTC), class_=class_,
                contact_id=1, purpose="newsletter",
            )  # fmt: skip
        assert mail_id is not None
        await connection.execute(
            "update mails set state = $2, attempts = 3, smtp_code = 550, reason = 'refused' where mail_id = $1",
            mail_id, state,
        )  # fmt: skip
        await connection.close()
        return mail_id

    return asyncio.run(work())


def test_mails_are_listed_and_shown_without_saying_to_whom(settings: Settings) -> None:
    failed, sent = post(settings, "nobody@example.org", "failed"), post(settings, "ada@example.org", "sent")
    listed = [json.loads(line) for line in run("ls", "--json").stdout.splitlines()]
    assert [one["mail_id"] for one in listed] == [sent, failed]
    assert [json.loads(line)["mail_id"] for line in run("ls", "--json", "--state", "failed").stdout.splitlines()] == [
        failed
    ]
    shown, table = run("show", str(failed)), run("ls")
    assert "550" in shown.stdout
    assert "contact_acknowledged" in table.stdout
    assert "example.org" not in shown.output + table.output + run("ls", "--json").output
    assert [json.loads(line)["mails"] for line in run("ls", "--totals", "--json").stdout.splitlines()] == [1, 1]


def test_a_letter_is_opened_on_demand_and_its_reader_is_told_what_that_is(settings: Settings) -> None:
    opened = run("show", str(post(settings, "ada@example.org", "failed")), "--letter")
    assert "ada@example.org" in opened.stdout
    assert "disclosure" in opened.stderr
    assert "\x1b" not in opened.stdout, "a value is no command for a terminal"


def test_a_failed_mail_is_sent_again_and_marketing_is_not(settings: Settings) -> None:
    failed, sent = post(settings, "ada@example.org", "failed"), post(settings, "ada@example.org", "sent")
    marketing = post(settings, "ada@example.org", "failed", "marketing")
    result = run("retry", str(failed), str(sent), str(marketing), "99999")
    assert result.exit_code == 1
    assert result.stdout == "1 will be sent again\n"
    assert [line.partition("again: ")[2] for line in result.stderr.splitlines()] == [
        "it is sent", "it is marketing", "there is no such mail",
    ]  # fmt: skip
    again = json.loads(run("show", str(failed), "--json").stdout)
    assert (again["state"], again["attempts"], again["reason"]) == ("intent", 0, None)
    assert run("retry", "--all").stdout == "0 will be sent again\n"
    assert run("retry").exit_code == 1


def test_keys_are_made_once_and_their_records_are_for_a_zone_file(settings: Settings) -> None:
    first, second = run("keys"), run("keys")
    assert first.stdout == second.stdout
    lines = first.stdout.splitlines()
    assert [line.split(" IN TXT ")[0] for line in lines] == [
        "lethe-rsa._domainkey.shop.example.", "lethe-ed25519._domainkey.shop.example.",
    ]  # fmt: skip
    signer = dkim.load(settings.dkim_dir, settings.dkim_domain, settings.dkim_selector)
    for line, key in zip(lines, signer.keys, strict=True):
        strings = line.split(" IN TXT ")[1].split('"')[1::2]
        assert max(map(len, strings)) <= 255
        assert "".join(strings) == key.record()


def test_a_test_mail_goes_signed_and_its_answer_is_told(settings: Settings, server: SmtpServer) -> None:
    run("keys")
    result = run("test", "--to", "Me@Example.org", "--language", "fr")
    assert result.exit_code == 0, result.output
    assert "(250), signed" in result.stdout
    signer = dkim.load(settings.dkim_dir, settings.dkim_domain, settings.dkim_selector)
    received.verified(server.taken[0].content, signer, "shop.example")
    assert server.recipients() == ["me@example.org"]


@pytest.mark.parametrize(
    ("to", "environment_", "told"),
    [
        ("nobody@example.org", {}, "answers 550"),
        ("me", {}, "not an address"),
        ("me@example.org", {"LETHE_SMTP_PORT": "1"}, "does not answer"),
        ("me@example.org", {"LETHE_SMTP_SECURITY": "tls"}, "does not answer, or not as the settings demand"),
    ],
)
def test_a_test_mail_that_is_not_taken_says_why(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, to: str, environment_: dict[str, str], told: str
) -> None:
    for name, value in environment_.items():
        monkeypatch.setenv(name, value)
    result = run("test", "--to", to)
    assert result.exit_code == 1
    assert told in result.stderr
    assert to not in result.stderr or to == "me"
