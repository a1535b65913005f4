"""`lethe postbox` against a real PostgreSQL: what a person of the shop sees and does."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.support.endpoints import Endpoints
from tests.support.mailbox import Postbox, prepared, question
from tests.support.worker_process import worker_process
from workers.cli import app
from workers.cli.local import environment

HOSTILE = (
    b"From: =?utf-8?q?Eve_=1B=5B2J?= <eve@example.com>\r\nSubject: \x1b]0;owned\x07 =?utf-8?q?=E2=80=AEtxt?=\r\n\r\n"
    b"Hello \x1b[31mred\x1b[0m\r\n"
)


@pytest.fixture
def box(stack: Endpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postbox]:
    """Three mails: one was passed on, two wait for a person."""
    with prepared(stack, tmp_path) as made:
        for name, value in environment.variables(made.settings).items():
            monkeypatch.setenv(name, value)
        with worker_process(made.settings, ("postbox",)):
            made.sorted_mail(question("one"))
            made.sorted_mail(question("two"), "sales@shop.example")
            made.sorted_mail(HOSTILE, "sales@shop.example")
        yield made


def postbox(*arguments: str) -> Result:
    return CliRunner().invoke(app.app, ["postbox", *arguments])


def listed(*options: str) -> list[tuple[int, str]]:
    rows = [json.loads(line) for line in postbox("ls", "--json", *options).stdout.splitlines()]
    return [(row["inbox_mail_id"], row["state"]) for row in rows]


def test_what_waits_is_listed_and_done(box: Postbox) -> None:
    assert listed() == [(3, "for_person"), (2, "for_person")]
    assert listed("--state", "any", "--flow", "question") == [(1, "sorted")]
    assert "ada@example.com" not in postbox("ls").stdout, "a list opens no mail"
    assert postbox("done", "2").stdout == "2 is done\n"
    assert listed() == [(3, "for_person")]
    again = postbox("done", "1", "2", "99")
    assert again.exit_code == 1
    assert "do not wait for a person: 1, 2, 99" in again.output
    assert postbox("ls", "--state", "odd").exit_code == 1


def test_a_mail_is_read_without_obeying_it(box: Postbox) -> None:
    shown = postbox("show", "2").stdout
    assert "Subject: Question about order 4711" in shown
    assert "From: Jörg Weiß <ada@example.com>" in shown
    assert "Where is my lamp?" in shown
    hostile = postbox("show", "3").stdout
    assert "Hello" in hostile
    assert all(one.isprintable() or one == "\n" for one in hostile)


def test_the_whole_mail_is_written_for_its_owner_alone(box: Postbox, tmp_path: Path) -> None:
    file = tmp_path / "mail.eml"
    assert postbox("show", "3", "--eml", str(file)).exit_code == 0
    assert file.read_bytes() == HOSTILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert postbox("show", "3", "--eml", str(file)).exit_code == 1
    assert file.read_bytes() == HOSTILE


def test_what_is_not_there_is_said(box: Postbox) -> None:
    assert "there is no mail 99" in postbox("show", "99").output
    box.rows("update inbox_mails set sealed = null where inbox_mail_id = 1 returning 1")
    assert "its copy was let go" in postbox("show", "1").output


def test_a_mail_is_sorted_once_more(box: Postbox) -> None:
    assert postbox("sort", "2").stdout == "2 will be sorted once more\n"
    with worker_process(box.settings, ("postbox",)):
        assert box.wait_sorted(2)["state"] == "for_person"
