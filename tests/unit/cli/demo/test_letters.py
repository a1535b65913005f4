"""The demo's checks of mails notice each way in which the promise could be broken, and the account shows it."""

from collections import Counter
from email import message_from_string, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from rich.console import Console

from workers.cli.demo import letter_account, letter_checks
from workers.cli.demo.letters import VISITOR, MailRun
from workers.cli.demo.mailbox import Mailbox
from workers.cli.samples import consents

READERS = consents.readers(5, 1)
LEFT = READERS[2].email
EVERYBODY = [VISITOR, *(one.email for one in READERS)]
SIGNATURE = "v=1; a=rsa-sha256; h=from:to:list-unsubscribe:list-unsubscribe-post; b=x"


def mail(signature: str = SIGNATURE) -> EmailMessage:
    text = f"DKIM-Signature: {signature}\nTo: {LEFT}\nSubject: News\nList-Unsubscribe-Post: List-Unsubscribe=One-Click"
    return message_from_string(f"{text}\n\nThe news\n", EmailMessage, policy=policy.default)


GOOD = MailRun(
    READERS, mail(), (0, 0, 1), (Counter(EVERYBODY), Counter(one for one in EVERYBODY if one != LEFT)), mail(), LEFT
)


def broken(run: MailRun) -> list[int]:
    return [number for number, one in enumerate(letter_checks.check(run)) if one.problem]


def test_what_is_as_promised_is_said_to_be() -> None:
    assert broken(GOOD) == []


@pytest.mark.parametrize(
    ("run", "claim"),
    [
        (GOOD._replace(consented=(0, 1, 1)), 0),
        (GOOD._replace(consented=(1, 1, 1)), 0),
        (GOOD._replace(consented=(0, 0, 0)), 0),
        (GOOD._replace(sent=(GOOD.sent[0] + Counter([VISITOR]), GOOD.sent[1])), 1),
        (GOOD._replace(sent=(GOOD.sent[0] - Counter([VISITOR]), GOOD.sent[1])), 1),
        (GOOD._replace(sent=(GOOD.sent[0] + Counter(["stranger@example.org"]), GOOD.sent[1])), 1),
        (GOOD._replace(issue_mail=mail("v=1; h=from:to:list-unsubscribe; b=x")), 2),
        (GOOD._replace(sent=(GOOD.sent[0], GOOD.sent[1] + Counter([LEFT]))), 3),
        (GOOD._replace(sent=(GOOD.sent[0], GOOD.sent[1] - Counter([VISITOR]))), 3),
    ],
)
def test_each_broken_promise_is_noticed(run: MailRun, claim: int) -> None:
    assert broken(run) == [claim]


def test_a_mail_without_a_signature_is_not_covered() -> None:
    unsigned = mail()
    del unsigned["DKIM-Signature"]
    assert broken(GOOD._replace(issue_mail=unsigned)) == [2]


def test_the_account_shows_who_was_left_out() -> None:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(letter_account.letters(GOOD))
    rows = [line.split() for line in captured.get().splitlines() if line.strip().startswith("demo-")]
    assert rows == [["demo-1", "6", "6", "got", "it", "got", "it"], ["demo-2", "5", "5", "got", "it", "left", "out"]]


def test_the_mailbox_tells_each_mail_once_and_in_order(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path)
    for number, head in enumerate(("To: a@example.org", "To: b@example.org\nList-Id: <n.shop.example>"), 1):
        (tmp_path / f"{number:08d}.eml").write_text(f"{head}\n\nx\n")
    assert [(one.to, one.is_issue) for one in mailbox.look()] == [("a@example.org", False), ("b@example.org", True)]
    (tmp_path / "00000003.eml").write_text("To: c@example.org\n\nx\n")
    assert [one.to for one in mailbox.look()] == ["c@example.org"]


def test_a_reader_empties_a_mailbox_of_their_own_and_no_other(tmp_path: Path) -> None:
    for number, to in enumerate(("a@example.org", "b@example.org", "a@example.org")):
        (tmp_path / f"{number:08d}.eml").write_text(f"To: {to}\n\nx\n")
    assert Mailbox(tmp_path).empty("a@example.org") == 2
    assert [one.to for one in Mailbox(tmp_path).look()] == ["b@example.org"]
