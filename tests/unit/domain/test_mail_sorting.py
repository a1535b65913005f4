"""Mails as they really arrive, and the flow that each belongs to."""

from email import message_from_bytes

import pytest

from tests.support import mail_samples as samples
from tests.support.mail_samples import sample
from workers.domain import mail_automatic, mail_reports, mail_sorting
from workers.domain.mail_reports import Delivery
from workers.domain.mail_sorting import Arrival, Flow, Mailbox

BOUNCES, CONTACT, UNSUBSCRIBE = Mailbox.BOUNCES, Mailbox.CONTACT, Mailbox.UNSUBSCRIBE


def arrival(
    content: bytes, mailbox: Mailbox = CONTACT, sender: str = "ada@example.com", has_tag: bool = False
) -> Arrival:
    return Arrival(message_from_bytes(content), sender, mailbox, has_tag, is_own=False)


def flow(content: bytes, mailbox: Mailbox = CONTACT, sender: str = "ada@example.com", has_tag: bool = False) -> Flow:
    return mail_sorting.sort(arrival(content, mailbox, sender, has_tag)).flow


@pytest.mark.parametrize(
    ("template", "status"),
    [
        (samples.POSTFIX, "5.1.1"),
        (samples.EXIM, "5.0.0"),
        (samples.EXIM_IN_WORDS, ""),
        (samples.EXCHANGE, "5.1.10"),
        (samples.GMAIL, "5.1.1"),
        (samples.QMAIL, "5.1.1"),
    ],
    ids=["postfix", "exim", "exim in words", "exchange", "gmail", "qmail"],
)
@pytest.mark.parametrize("mailbox", [BOUNCES, CONTACT], ids=str)
def test_a_mailbox_that_is_gone_is_understood(template: str, status: str, mailbox: Mailbox) -> None:
    decided = mail_sorting.sort(arrival(sample(template, to="ada@gone.example"), mailbox, sender=""))
    assert decided.flow is Flow.BOUNCE
    assert decided.bounce == mail_reports.Bounce(Delivery.GONE, status, "ada@gone.example")


@pytest.mark.parametrize(
    ("status", "diagnostic", "delivery"),
    [
        ("5.2.1", "550 5.2.1 The email account that you tried to reach is disabled", Delivery.GONE),
        ("5.4.4", "Host or domain name not found. Name service error for name=gone.example", Delivery.GONE),
        ("5.0.0", "550 Requested action not taken: mailbox unavailable: user unknown", Delivery.GONE),
        ("5.0.0", "550 5.1.1 <ada@gone.example>... User unknown", Delivery.GONE),
        ("5.7.1", "550 5.7.1 Recipient address rejected: ada@gone.example does not exist", Delivery.GONE),
        ("5.2.2", "552 5.2.2 The recipient's inbox is over quota", Delivery.REFUSED),
        ("5.7.1", "550 5.7.1 Message refused: it looks like spam", Delivery.REFUSED),
        ("5.7.26", "550-5.7.26 This mail is unauthenticated", Delivery.REFUSED),
        ("5.1.8", "550 5.1.8 Sender address has null MX", Delivery.REFUSED),
        ("5.3.4", "552 5.3.4 Message size exceeds fixed limit", Delivery.REFUSED),
        ("5.0.0", "554 transaction failed", Delivery.REFUSED),
        ("4.4.1", "connect to mailbox.example.com[203.0.113.25]:25: Connection timed out", Delivery.REFUSED),
    ],
)
def test_only_what_is_about_the_mailbox_itself_makes_it_gone(status: str, diagnostic: str, delivery: Delivery) -> None:
    found = mail_sorting.sort(
        arrival(sample(samples.POSTFIX, status=status, diagnostic=diagnostic), BOUNCES, sender="")
    ).bounce
    assert found is not None
    assert found.delivery is delivery


@pytest.mark.parametrize(
    ("action", "delivery"),
    [("delayed", Delivery.DELAYED), ("relayed", Delivery.DELIVERED), ("delivered", Delivery.DELIVERED)],
)
def test_a_report_may_also_bring_good_news(action: str, delivery: Delivery) -> None:
    found = mail_sorting.sort(arrival(sample(samples.POSTFIX, action=action, status="4.0.0"), BOUNCES, "")).bounce
    assert found is not None
    assert found.delivery is delivery


def test_complaints_and_opt_outs_of_a_feedback_loop() -> None:
    assert flow(sample(samples.FEEDBACK)) is Flow.COMPLAINT
    assert flow(sample(samples.FEEDBACK, kind="fraud")) is Flow.COMPLAINT
    assert flow(sample(samples.FEEDBACK, kind="opt-out")) is Flow.OPT_OUT
    assert flow(sample(samples.FEEDBACK, kind="not-spam")) is Flow.OTHER


def test_a_report_says_what_it_is_about() -> None:
    named = {"return_path": "bounces+tag@shop.example", "message_id": "7.abc@shop.example"}
    for template in (samples.FEEDBACK, samples.POSTFIX, samples.EXIM, samples.EXCHANGE, samples.GMAIL):
        found = mail_reports.witnesses(message_from_bytes(sample(template, **named)))
        assert "7.abc@shop.example" in found.message_ids
        assert "bounces+tag@shop.example" in found.addresses
        assert found.unsubscribe[0].startswith("<https://shop.example/u/none>")


def test_a_report_that_a_person_attaches_is_a_person_s_mail() -> None:
    boundary = b'Content-Type: multipart/mixed; boundary="outer"\r\n\r\n--outer\r\nContent-Type: message/rfc822\r\n\r\n'
    for template in (samples.FEEDBACK, samples.POSTFIX):
        attached = b"From: ada@example.com\r\n" + boundary + sample(template) + b"\r\n--outer--\r\n"
        assert flow(attached) is Flow.QUESTION


def test_a_tag_is_enough_to_unsubscribe_even_for_a_machine() -> None:
    mail = sample(samples.UNSUBSCRIBE)
    assert flow(mail, UNSUBSCRIBE, has_tag=True) is Flow.UNSUBSCRIBE
    assert flow(b"Auto-Submitted: auto-generated\r\n" + mail, UNSUBSCRIBE, has_tag=True) is Flow.UNSUBSCRIBE
    assert flow(b"", UNSUBSCRIBE, sender="", has_tag=True) is Flow.UNSUBSCRIBE
    assert flow(mail, UNSUBSCRIBE) is Flow.OTHER


def test_machines_are_not_persons() -> None:
    assert flow(sample(samples.VACATION), BOUNCES) is Flow.AUTO_REPLY
    assert flow(sample(samples.VACATION)) is Flow.AUTO_REPLY
    assert flow(sample(samples.RECEIPT)) is Flow.AUTO_REPLY
    for header in ("X-Autoreply: yes", "Precedence: auto_reply", "Subject: Automatic reply: Re: lamp",
                   "Subject: =?utf-8?q?R=C3=A9ponse_automatique_=3A?= lampe"):  # fmt: skip
        assert flow(f"From: a@example.com\r\n{header}\r\n\r\nText\r\n".encode()) is Flow.AUTO_REPLY


def test_what_a_person_writes_is_a_question_and_elsewhere_a_person_looks_at_it() -> None:
    assert flow(sample(samples.QUESTION)) is Flow.QUESTION
    assert flow(sample(samples.QUESTION), BOUNCES) is Flow.OTHER
    assert flow(sample(samples.QUESTION), Mailbox.OTHER) is Flow.OTHER
    assert flow(sample(samples.QUESTION), sender="") is Flow.OTHER


def test_one_of_ours_is_never_answered() -> None:
    own = Arrival(message_from_bytes(sample(samples.QUESTION)), "a@example.com", CONTACT, False, is_own=True)
    assert mail_sorting.sort(own).flow is Flow.OWN_MAIL


@pytest.mark.parametrize(
    "headers",
    ["Auto-Submitted: auto-generated", "Precedence: bulk", "List-Id: <users.example.org>", "X-Loop: example",
     "X-Auto-Response-Suppress: DR, AutoReply", "Auto-Submitted: auto-notified; owner-email=\"a@b\""],
)  # fmt: skip
def test_no_machine_and_no_list_is_answered(headers: str) -> None:
    message = message_from_bytes(sample(samples.QUESTION, headers=f"{headers}\n"))
    assert not mail_automatic.may_be_answered(message, "ada@example.com", ())


@pytest.mark.parametrize("author", ["MAILER-DAEMON@x.example", "no-reply@x.example", "list-request@x.example",
                                    "owner-list@x.example", "Privacy@shop.example", "bounces+a@x.example"])  # fmt: skip
def test_nobody_is_answered_whose_address_says_that_no_person_reads_it(author: str) -> None:
    message = message_from_bytes(sample(samples.QUESTION, author=author))
    assert not mail_automatic.may_be_answered(message, "ada@example.com", {"privacy@shop.example"})
    assert not mail_automatic.may_be_answered(message_from_bytes(sample(samples.QUESTION)), author, {author.lower()})


def test_a_person_is_answered() -> None:
    message = message_from_bytes(sample(samples.QUESTION, headers="Auto-Submitted: no\n"))
    assert mail_automatic.may_be_answered(message, "ada@example.com", {"privacy@shop.example"})
