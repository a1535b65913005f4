"""Which flow a mail that has arrived belongs to."""

from email.message import Message
from enum import StrEnum
from typing import NamedTuple

from workers.domain import erasure_words, mail_automatic, mail_header, mail_reports, mail_text
from workers.domain.mail_reports import Bounce, Complaint

_OPT_OUTS = frozenset(("opt-out", "opt-out-list"))
_NO_COMPLAINTS = frozenset(("not-spam", "auth-failure"))
_REPORTERS = ("mailer-daemon@", "postmaster@")


class Mailbox(StrEnum):
    """Which of our addresses a mail was sent to."""

    BOUNCES = "bounces"
    UNSUBSCRIBE = "unsubscribe"
    CONTACT = "contact"
    ERASURE = "erasure"
    OTHER = "other"


class Flow(StrEnum):
    """What becomes of a mail."""

    COMPLAINT = "complaint"
    """Somebody called a mail of ours unwanted: everything that they agreed to ends."""
    OPT_OUT = "opt_out"
    """The same button, by a provider that calls it an unsubscription."""
    BOUNCE = "bounce"
    UNSUBSCRIBE = "unsubscribe"
    AUTO_REPLY = "auto_reply"
    """No person wrote it: kept for a time, answered by nobody."""
    OWN_MAIL = "own_mail"
    """One of ours has come back: answering would go round in a circle."""
    ERASURE = "erasure"
    """Somebody asks, in plain words or at the address for it, that what is held about them be erased."""
    QUESTION = "question"
    OTHER = "other"
    """A person must look at it."""


class Arrival(NamedTuple):
    """What is known of a mail. `has_tag`: it was sent to an address that only one recipient of ours was given.
    `is_own`: its Message-ID is one of ours."""

    message: Message
    envelope_sender: str
    mailbox: Mailbox
    has_tag: bool
    is_own: bool


class Sorted(NamedTuple):
    """The flow, and the report that it is about where it is one."""

    flow: Flow
    bounce: Bounce | None = None
    complaint: Complaint | None = None


def sort(arrival: Arrival) -> Sorted:
    """The decision. A wish to leave counts whoever sent it, and however: only a report goes before it."""
    message, mailbox = arrival.message, arrival.mailbox
    if arrival.is_own:
        return Sorted(Flow.OWN_MAIL)
    complaint = mail_reports.complaint(message)
    if complaint is not None:
        return Sorted(_of_complaint(complaint), complaint=complaint)
    bounce = mail_reports.bounce(message) if _is_report(arrival) else None
    if bounce is not None:
        return Sorted(Flow.BOUNCE, bounce=bounce)
    if mailbox is Mailbox.UNSUBSCRIBE and arrival.has_tag:
        return Sorted(Flow.UNSUBSCRIBE)
    if mail_automatic.is_auto_reply(message):
        return Sorted(Flow.AUTO_REPLY)
    if mailbox not in (Mailbox.CONTACT, Mailbox.ERASURE) or not arrival.envelope_sender:
        return Sorted(Flow.OTHER)
    return Sorted(Flow.ERASURE if mailbox is Mailbox.ERASURE or _asks_for_erasure(message) else Flow.QUESTION)


def _asks_for_erasure(message: Message) -> bool:
    return erasure_words.asks(mail_header.text(message, "Subject"), mail_text.text(message))


def _of_complaint(complaint: Complaint) -> Flow:
    if complaint.kind in _OPT_OUTS:
        return Flow.OPT_OUT
    return Flow.OTHER if complaint.kind in _NO_COMPLAINTS else Flow.COMPLAINT


def _is_report(arrival: Arrival) -> bool:
    """Whether to look for a report of a delivery in it: a person's mail may quote one."""
    message = arrival.message
    if not arrival.envelope_sender or arrival.mailbox is Mailbox.BOUNCES:
        return True
    is_status = str(message.get_param("report-type", "")).lower() == "delivery-status"
    author = mail_header.address(message, "From") or ""
    return (message.get_content_type() == "multipart/report" and is_status) or author.startswith(_REPORTERS)
