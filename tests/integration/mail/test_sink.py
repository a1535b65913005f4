"""The sink and its pages: every mail is kept for its owner, shown as what it is, and runs nothing in a browser."""

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from deploy.local import ports
from tests.support import lethe
from tests.support.endpoints import Endpoints
from tests.support.worker_process import WorkerProcess, worker_process
from workers.mail import sink
from workers.settings import Settings

HOSTILE = "<script>alert(1)</script> Grüße"


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path) -> Settings:
    return lethe.prepare(
        stack, prefix, database, tmp_path, sink_dir=tmp_path / "mails", smtp_port=ports.choose(1)[0],
        dkim_dir=tmp_path / "none",
    )  # fmt: skip


@pytest.fixture
def mailer(settings: Settings) -> Iterator[WorkerProcess]:
    with worker_process(settings, ["mailer"]) as process:
        yield process


def send(settings: Settings, to: str, subject: str = "Hello", html: str = "<p>Hello</p>") -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "shop@shop.example", to, subject
    mail.set_content("The text of it")
    mail.add_alternative(html, subtype="html")
    with smtplib.SMTP("127.0.0.1", settings.smtp_port, timeout=10) as connection:
        connection.send_message(mail)


def test_a_mail_is_listed_and_shown(settings: Settings, mailer: WorkerProcess) -> None:
    assert "None yet" in mailer.get("/mails")[1]
    send(settings, "ada@example.org", HOSTILE, '<p>"Quoted" <a href="https://shop.example/confirm/x">Go</a></p>')
    send(settings, "bob@example.org")
    status, listed = mailer.get("/mails")
    assert status == 200
    assert listed.index("bob@example.org") < listed.index("ada@example.org"), "the newest first"
    status, shown = mailer.get("/mails/1")
    assert status == 200
    assert "The text of it" in shown
    assert "https://shop.example/confirm/x" in shown
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in shown
    for page in (listed, shown):
        assert "<script" not in page
        assert "Grüße" in page
    assert '<a href="https://shop.example' not in shown, "its HTML is inside the frame's attribute only"


@pytest.mark.parametrize("number", ["3", "0", "x", "..%2fsecret", "1.eml", "%C2%B2", "9" * 40])
def test_no_other_file_is_shown(settings: Settings, mailer: WorkerProcess, number: str) -> None:
    assert settings.sink_dir is not None
    (settings.sink_dir.parent / "secret.eml").write_text("Subject: secret\n\n")
    send(settings, "ada@example.org")
    assert mailer.get(f"/mails/{number}")[0] == 404


def test_mails_are_there_again_after_a_restart_and_only_for_their_owner(settings: Settings) -> None:
    assert settings.sink_dir is not None
    for _ in range(2):
        with worker_process(settings, ["mailer"]):
            send(settings, "ada@example.org")
    assert [one.number for one in sink.kept(settings.sink_dir)] == [2, 1]
    assert settings.sink_dir.stat().st_mode & 0o777 == 0o700


async def test_only_the_latest_are_kept(tmp_path: Path) -> None:
    port = ports.choose(1)[0]
    service = sink.Sink(tmp_path / "mails", "127.0.0.1", port, most=3)
    await service.on_start()
    import aiosmtplib

    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port) as connection:
        for number in range(5):
            await connection.sendmail("a@shop.example", ["b@example.org"], f"Subject: {number}\r\n\r\n".encode())
    await service.on_stop()
    assert [one.subject for one in sink.kept(tmp_path / "mails")] == ["4", "3", "2"]
