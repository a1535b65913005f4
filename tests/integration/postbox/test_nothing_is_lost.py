"""A mail that was answered with 250 is there, whatever it holds and whatever happens."""

import signal
import smtplib
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support import mail_samples as samples
from tests.support.endpoints import Endpoints
from tests.support.mail_samples import sample
from tests.support.mailbox import Postbox, postbox, prepared, question
from tests.support.waiting import wait_until
from tests.support.worker_process import WorkerProcess, worker_process
from workers.postbox.inbox import Inbox, Sealed

CONTACT = "privacy@shop.example"
MIB = 1 << 20


@pytest.fixture(scope="module")
def running(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Postbox, WorkerProcess]]:
    with postbox(stack, tmp_path_factory.mktemp("postbox")) as made:
        yield made


@pytest.fixture
def box(running: tuple[Postbox, WorkerProcess]) -> Postbox:
    return running[0]


def stored(box: Postbox, inbox_mail_id: int) -> bytes:
    """The mail as the table holds it, opened."""
    (row,) = box.rows("select * from inbox_mails where inbox_mail_id = $1", inbox_mail_id)
    return (
        Inbox(box.ring).unseal(Sealed(row["fingerprint"], row["wrapped_key"], row["key_epoch"], row["sealed"])).content
    )


def test_a_kill_after_the_answer_loses_nothing(stack: Endpoints, tmp_path: Path) -> None:
    """Killed in the moment in which the mail server has read its 250, with everything still to be sorted."""
    with prepared(stack, tmp_path) as box:
        with worker_process(box.settings, ("postbox",)) as worker:
            for number in range(20):
                box.deliver(question(number, f"p{number}@example.com"), sender=f"p{number}@example.com")
            worker.kill()
        assert len(box.rows("select from inbox_mails")) == 20
        with worker_process(box.settings, ("postbox",)):
            box.wait_sorted()
        asked = [one[2] for one in box.letters("contact_question")]
        assert sorted(asked) == sorted(f"p{number}@example.com" for number in range(20))
        assert len(box.letters("contact_acknowledged")) == 20


@pytest.mark.parametrize("label", ["postbox.after_store:1", "postbox.before_commit:1"])
def test_a_kill_does_nothing_twice(stack: Endpoints, tmp_path: Path, label: str) -> None:
    """After the mail is stored and before it is answered the mail server delivers again: it is the same mail."""
    with prepared(stack, tmp_path) as box:
        contact_id = box.subscribe("leaves@example.com")
        mails = [
            (question("once"), CONTACT), (sample(samples.UNSUBSCRIBE), box.unsubscribe_address(contact_id)),
        ]  # fmt: skip
        with worker_process(box.settings, ("postbox",), crash_at=label) as worker:
            for content, recipient in mails:
                with suppress(smtplib.SMTPException, OSError):
                    box.deliver(content, recipient)
            assert worker.wait() == -signal.SIGKILL
        with worker_process(box.settings, ("postbox",)):
            for content, recipient in mails:
                box.deliver(content, recipient)
            box.wait_sorted()
        assert len(box.rows("select from inbox_mails")) == 2
        assert len(box.letters("contact_question")) == 1
        assert len(box.letters("contact_acknowledged")) == 1
        assert box.statuses("leaves@example.com") == {"newsletter": "ConsentWithdrawn"}
        assert len(box.rows("select from consent_events where event_type = 'consent.withdrawn'")) == 1


def test_without_a_database_nothing_is_taken_and_nothing_is_lost(stack: Endpoints, tmp_path: Path) -> None:
    with postbox(stack, tmp_path) as (box, worker):
        box.rows("alter table inbox_mails rename to inbox_mails_away")
        with pytest.raises(smtplib.SMTPDataError) as refusal:
            box.deliver(question("away"))
        assert refusal.value.smtp_code == 451
        box.rows("alter table inbox_mails_away rename to inbox_mails")
        box.deliver(question("away"))
        assert box.wait_sorted()["flow"] == "question"
        assert worker.exit_code is None


ADA = b"From: ada@example.com\r\n"
STATUS_REPORT = (
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n--x\r\n"
    b"Content-Type: message/delivery-status\r\n"
)
BROKEN = {
    "empty": b"",
    "nothing but a dot": b".\r\n.\r\n..\r\n",
    "no header": b"just some words\r\nand more\r\n",
    "NUL": ADA + b"Subject: a\0b\r\n\r\nThere is \0 a NUL.\r\n",
    "8-bit headers": "From: Jörg <ada@example.com>\r\nSubject: Größe\r\n\r\nWie groß?\r\n".encode("latin-1"),
    "UTF-8 headers": "From: Jörg <ada@example.com>\r\nSubject: Größe\r\n\r\nWie groß?\r\n".encode(),
    "8-bit Message-ID": ADA + b"Message-ID: <\xff\xfe@x>\r\nAuto-Submitted: \xe9\r\n\r\ntext\r\n",
    "endless header": ADA + b"Subject: " + b"a " * 200_000 + b"\r\n\r\ntext\r\n",
    "endless line": ADA + b"Subject: x\r\n\r\n" + b"a" * 3_000_000 + b"\r\n",
    "unknown charset": ADA + b"Content-Type: text/plain; charset=klingon-9\r\n\r\n\xff\xfe\r\n",
    "wrong base64": ADA + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n%%%\r\n",
    "no boundary": ADA + b"Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\ntext\r\n",
    "unclosed boundary": ADA + b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\n\r\ntext\r\n',
    "broken words": b"From: =?utf-8?q?=FF=FE?= <ada@example.com>\r\nSubject: =?x-no?b?!!!?= =?utf-8?b?w?=\r\n\r\nb\r\n",
    "many senders": b"From: a@example.com, b@example.com\r\n\r\ntext\r\n",
    "no sender": b"Subject: who am I\r\n\r\ntext\r\n",
    "header injection": b"From: \"x\r\n Bcc: all@example.com\" <ada@example.com>\r\nReply-To: a@b@c\r\n\r\nb\r\n",
    "broken report": STATUS_REPORT + b"\r\n\xff\xfe: \0\r\n\r\nAction: f\xffiled\r\nStatus: 5.x.y\r\n--x--\r\n",
    "broken feedback": b"Content-Type: multipart/report; report-type=feedback-report; boundary=x\r\n\r\n--x\r\n"
    b"Content-Type: message/feedback-report\r\n\r\nFeedback-Type\r\n--x--\r\n",
    "status as text": STATUS_REPORT + b"Content-Transfer-Encoding: base64\r\n\r\nQWN0aW9uOiBmYWlsZWQ=\r\n--x--\r\n",
    "binary": bytes(range(256)).replace(b"\r", b"").replace(b"\n", b"") * 50 + b"\r\n",
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("recipient", [CONTACT, "bounces+x@shop.example"])
def test_broken_mails_are_kept_as_they_are_and_sorted(box: Postbox, name: str, recipient: str) -> None:
    with box.connect() as session:
        session.mail("ada@example.com")
        session.rcpt(recipient)
        assert session.data(BROKEN[name])[0] == 250
    mail = box.wait_sorted(box.rows("select max(inbox_mail_id) as n from inbox_mails")[0]["n"])
    assert "fault" not in mail["outcome"], "a mail may be strange, that is no fault of ours"
    assert stored(box, mail["inbox_mail_id"]).rstrip(b"\r\n") == BROKEN[name].rstrip(b"\r\n")


def test_a_report_nested_without_end_goes_to_a_person(box: Postbox) -> None:
    part = b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n"
    nested = b"From: ada@example.com\r\n" + b"".join(part % (n, n) for n in range(5000)) + b"\r\ntext\r\n"
    assert box.sorted_mail(nested, timeout_s=60)["state"] == "for_person"


HOSTILE = {
    "tags": b"<" * MIB,
    "half tags": b"<a " * (MIB // 3),
    "comments": b"<!--" * (MIB // 4),
    "at signs": b"a@" * (MIB // 2),
    "addresses": b"<a@example.com> " * (MIB // 16),
    "digits": b"4111 " * (MIB // 5),
    "digits in lines": b"4111\r\n" * (MIB // 6),
    "words of a failure": b"user " * (MIB // 5) + b"unknown",
    "status codes": b"5.1.1 " * (MIB // 6),
    "spaces": b" " * MIB,
    "dashes": b"--x\r\n" * (MIB // 5),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    ("head", "recipient"),
    [(b"Content-Type: text/html\r\n", CONTACT), (b"", "bounces+x@shop.example"), (b"Subject: ", CONTACT)],
    ids=["html", "bounce", "subject"],
)
def test_hostile_mails_hold_up_nobody(box: Postbox, name: str, head: bytes, recipient: str) -> None:
    separator = b"" if head.startswith(b"Subject") else b"\r\n"
    content = b"From: ada@example.com\r\n" + head + separator + HOSTILE[name] + b"\r\n"
    assert "fault" not in box.sorted_mail(content, recipient, sender="", timeout_s=20)["outcome"]


def test_a_mail_of_twenty_megabytes(running: tuple[Postbox, WorkerProcess]) -> None:
    box, _ = running
    attachment = (b"QUJD" * 19 + b"\r\n") * (20 * MIB // 78)
    content = question("large").replace(b"--b1--", (
        b"--b1\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"lamp.pdf\"\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + attachment + b"--b1--"
    ))  # fmt: skip
    mail = box.sorted_mail(content, timeout_s=60)
    assert mail["size_bytes"] > 20 * MIB
    assert (mail["flow"], mail["outcome"]) == ("question", "passed_on")
    assert stored(box, mail["inbox_mail_id"]) == content
    assert "1 attachments" in box.letters("contact_question")[-1][1]["question"]


def test_what_is_too_large_is_refused_once_per_recipient_and_the_session_goes_on(
    stack: Endpoints, tmp_path: Path
) -> None:
    with postbox(stack, tmp_path, postbox_max_bytes=1 << 16) as (box, _):
        with box.connect() as session:
            with pytest.raises(smtplib.SMTPSenderRefused) as said:
                session.sendmail("ada@example.com", CONTACT, b"a\r\n" * 30_000)
            assert said.value.smtp_code == 552
            session.mail("ada@example.com")
            for recipient in (CONTACT, "second@shop.example"):
                session.rcpt(recipient)
            session.docmd("DATA")
            session.send(b"a\r\n" * 30_000 + b".\r\n")
            assert [session.getreply()[0] for _ in range(2)] == [552, 552]
            assert session.noop()[0] == 250
        assert box.rows("select from inbox_mails") == []


def test_every_recipient_gets_an_answer_of_its_own(box: Postbox) -> None:
    """RFC 2033, 4.2: as many answers as recipients, or the mail server and we are out of step."""
    recipients = [f"person{number}@shop.example" for number in range(5)]
    before = len(box.rows("select from inbox_mails"))
    with box.connect() as session:
        session.mail("<>")
        for recipient in recipients:
            assert session.rcpt(recipient)[0] == 250
        session.docmd("DATA")
        session.send(b"Subject: x\r\n\r\ntext\r\n.\r\n")
        assert [session.getreply()[0] for _ in recipients] == [250] * 5
        assert session.noop()[0] == 250
    assert len(box.rows("select from inbox_mails")) == before + 5


def test_addresses_of_any_form_are_taken(box: Postbox) -> None:
    for number, sender in enumerate(("<a..b@example.com>", "<@relay.example:a@example.com>", "<\"a b\"@example.com>",
                                     "<jörg@exämple.example>", "<a.@x>", "<>", "< a@example.com >")):  # fmt: skip
        with box.connect() as session:
            assert session.docmd("MAIL", f"FROM:{sender} SIZE=100 SMTPUTF8")[0] == 250 if sender.isascii() else True
            if not sender.isascii():
                session.sock.sendall(f"MAIL FROM:{sender} SMTPUTF8\r\n".encode())
                assert session.getreply()[0] == 250
            assert session.docmd("RCPT", "TO:<privacy..x@shop.example>")[0] == 250
            assert session.data(f"Subject: {number}\r\n\r\ntext\r\n".encode())[0] == 250


def test_a_connection_that_breaks_in_the_middle_leaves_nothing(box: Postbox) -> None:
    before = len(box.rows("select from inbox_mails"))
    with socket.create_connection(("127.0.0.1", box.settings.postbox_port)) as raw:
        raw.sendall(
            b"LHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<privacy@shop.example>\r\nDATA\r\nSubject: half\r\n"
        )
    box.deliver(question("whole"))
    assert len(box.rows("select from inbox_mails")) == before + 1


def test_a_fault_of_ours_puts_the_mail_before_a_person_and_the_next_one_is_sorted(
    stack: Endpoints, tmp_path: Path
) -> None:
    with postbox(stack, tmp_path) as (box, worker):
        box.rows("alter table mails add constraint broken check (template <> 'contact_question')")
        mail = box.sorted_mail(question("fault"))
        assert (mail["state"], mail["outcome"]) == ("for_person", "fault CheckViolationError")
        box.rows("alter table mails drop constraint broken")
        assert box.sorted_mail(question("next"))["state"] == "sorted"
        assert "mail_not_sorted" in worker.log


def test_a_mail_that_ends_its_worker_each_time_goes_to_a_person(stack: Endpoints, tmp_path: Path) -> None:
    with prepared(stack, tmp_path) as box:
        with worker_process(box.settings, ("postbox",), crash_at="postbox.after_store:1") as worker:
            with pytest.raises((smtplib.SMTPException, OSError)):
                box.deliver(question("poison"))
            worker.wait()
        box.rows("update inbox_mails set attempts = 10 returning 1")
        with worker_process(box.settings, ("postbox",)):
            mail = box.wait_sorted()
        assert (mail["state"], mail["outcome"]) == ("for_person", "fault, over and over")


def test_what_was_dealt_with_is_let_go_in_time_and_what_waits_is_not(stack: Endpoints, tmp_path: Path) -> None:
    with prepared(stack, tmp_path) as box:
        with worker_process(box.settings, ("postbox",)):
            box.sorted_mail(question("sorted"))
            box.sorted_mail(question("waits"), "sales@shop.example")
        box.rows("update inbox_mails set changed_at = changed_at - interval '31 days' returning 1")

        def kept() -> list[str]:
            return [row["state"] for row in box.rows("select state from inbox_mails where sealed is not null")]

        with worker_process(box.settings, ("postbox",)):
            wait_until(lambda: kept() == ["for_person"], 20, lambda: str(kept()))
