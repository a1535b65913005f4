"""What mail servers report: that a mail did not arrive (RFC 3464), that somebody complained (RFC 5965).

A report proves nothing by itself, anybody can write one. What it quotes of our mail, and only its recipient could
know, is the proof: `witnesses`.
"""

import re
from collections.abc import Iterator
from email import message_from_string
from email.message import Message
from enum import StrEnum
from typing import NamedTuple

from flufl.bounce import all_failures

from workers.domain import mail_header

_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_ADDRESS = re.compile(r"[^\s<>,;:\"]+@[^\s<>,;:\"]+")
_MESSAGE_ID = re.compile(r"<[^\s<>]+@[^\s<>]+>")
_NOBODY = re.compile(
    r"user[ -]unknown|unknown[ -](?:user|recipient|mailbox|address)|no such (?:user|mailbox|recipient|address|person)"
    r"|(?:user|recipient|mailbox|address|account)[^.\n]{0,60}(?:not (?:found|exist|known)|unknown|disabled|inactive"
    r"|deactivated)|does ?n(?:o|'|\u2019)t exist|does not exist|invalid (?:recipient|mailbox|address)|no mailbox"
    r"|unrouteable",
    re.IGNORECASE,
)
_GONE = frozenset(((1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (1, 6), (1, 10), (2, 1), (4, 4), (4, 310)))
"""Subject and detail of RFC 3463 that mean the mailbox itself: bad or moved address, disabled, no such domain."""
_VAGUE = frozenset(((0, 0), (3, 0), (5, 0), (7, 0), (7, 1)))
"""Those that say too little: the words beside them decide."""
_TEXT_READ_CHARACTERS = 20_000


class Delivery(StrEnum):
    """What a report says about a mail."""

    GONE = "gone"
    """The mailbox is not there: writing again cannot help."""
    REFUSED = "refused"
    """Not delivered this time: full, too large, taken for spam, tried for too long."""
    DELAYED = "delayed"
    """Not yet; another report follows."""
    DELIVERED = "delivered"


class Bounce(NamedTuple):
    """A report of a delivery. `status` is the enhanced code (RFC 3463) or empty; `recipient` what it names."""

    delivery: Delivery
    status: str
    recipient: str


class Complaint(NamedTuple):
    """A feedback report. `kind` is its Feedback-Type in lower case: abuse, opt-out, not-spam, …"""

    kind: str


class Witnesses(NamedTuple):
    """What a mail quotes of one of ours: Message-IDs, addresses that may carry a tag, List-Unsubscribe values."""

    message_ids: tuple[str, ...]
    addresses: tuple[str, ...]
    unsubscribe: tuple[str, ...]


def bounce(message: Message) -> Bounce | None:
    """The report in this mail; None where it is none. Of several recipients the worst counts."""
    found = [_of_block(block) for block in _blocks(message, "delivery-status") if "Action" in block]
    if found:
        order = list(Delivery)
        return min(found, key=lambda one: order.index(one.delivery))
    return _unstructured(message)


def complaint(message: Message) -> Complaint | None:
    """The feedback report that this mail is; None where it is none. One that a person has attached is not meant."""
    if message.get_content_type() != "multipart/report":
        return None
    for block in _blocks(message, "feedback-report"):
        kind = mail_header.raw(block, "Feedback-Type").lower()
        if kind:
            return Complaint(kind)
    return None


def witnesses(message: Message) -> Witnesses:
    """All that this mail quotes of others: of those it reports on, and of those it answers."""
    quoted = list(_quoted(message))
    blocks = [*_blocks(message, "feedback-report"), *_blocks(message, "delivery-status")]
    ids = [mail_header.raw(one, "Message-ID") for one in quoted]
    ids += [mail_header.raw(message, name) for name in ("In-Reply-To", "References")]
    ids += [mail_header.raw(one, "X-Original-Message-ID") for one in blocks]
    senders = [mail_header.raw(one, "Original-Mail-From") for one in blocks]
    senders += [mail_header.raw(one, "Return-Path") for one in quoted]
    return Witnesses(
        tuple(one[1:-1] for value in ids for one in _MESSAGE_ID.findall(value)),
        tuple(one for value in senders for one in _ADDRESS.findall(value)),
        tuple(value for one in quoted if (value := mail_header.raw(one, "List-Unsubscribe"))),
    )


def _of_block(block: Message) -> Bounce:
    action = mail_header.raw(block, "Action").lower()
    said = mail_header.raw(block, "Status")
    reason = mail_header.raw(block, "Diagnostic-Code")
    named = _ADDRESS.findall(mail_header.raw(block, "Original-Recipient") or mail_header.raw(block, "Final-Recipient"))
    recipient = named[0] if named else ""
    if action.startswith("delayed"):
        return Bounce(Delivery.DELAYED, _code(said), recipient)
    if not action.startswith(("fail", "error")):
        return Bounce(Delivery.DELIVERED, _code(said), recipient)
    return Bounce(_failed(f"{said} {reason}"), _code(f"{said} {reason}"), recipient)


def _failed(words: str) -> Delivery:
    """Gone or refused. Where several codes are given, the first one that says enough counts."""
    for kind, subject, detail in _STATUS.findall(words):
        code = (int(subject), int(detail))
        if kind != "5":
            return Delivery.REFUSED
        if code in _GONE:
            return Delivery.GONE
        if code not in _VAGUE:
            return Delivery.REFUSED
    return Delivery.GONE if _NOBODY.search(words) else Delivery.REFUSED


def _code(words: str) -> str:
    codes = [".".join(found) for found in _STATUS.findall(words)]
    exact = [one for one in codes if tuple(map(int, one.split(".")[1:])) not in _VAGUE]
    return next(iter(exact or codes), "")


def _unstructured(message: Message) -> Bounce | None:
    """Reports in words, as some servers write them: flufl.bounce knows their forms."""
    try:
        temporary, permanent = all_failures(message)
    except Exception:  # it was written for well-formed mails
        return None
    named = sorted(permanent or temporary)
    if not named:
        return None
    recipient = named[0].decode("utf-8", "replace")
    if not permanent:
        return Bounce(Delivery.DELAYED, "", recipient)
    words = _words(message)
    return Bounce(_failed(words), _code(words), recipient)


def _words(message: Message) -> str:
    texts = []
    for part in message.walk():
        if part.get_content_maintype() == "text":
            payload = part.get_payload(decode=True)
            texts.append(payload.decode("utf-8", "replace") if isinstance(payload, bytes) else "")
    return "\n".join(texts)[:_TEXT_READ_CHARACTERS]


def _blocks(message: Message, subtype: str) -> Iterator[Message]:
    """The groups of fields in the machine-readable part of a report."""
    for part in message.walk():
        if part.get_content_type() == f"message/{subtype}":
            payload = part.get_payload()
            if isinstance(payload, list):
                yield from (block for block in payload if isinstance(block, Message))
            elif isinstance(payload, str):
                yield message_from_string(payload)


def _quoted(message: Message) -> Iterator[Message]:
    """Mails that are quoted whole, or by their headers."""
    for part in message.walk():
        kind, payload = part.get_content_type(), part.get_payload()
        if kind in ("message/rfc822", "message/global", "message/rfc822-headers") and isinstance(payload, list):
            yield from (one for one in payload if isinstance(one, Message))
        elif kind in ("text/rfc822-headers", "text/rfc822", "message/global-headers", "message/rfc822-headers"):
            decoded = part.get_payload(decode=True)
            if isinstance(decoded, bytes):
                yield message_from_string(decoded.decode("utf-8", "replace"))
