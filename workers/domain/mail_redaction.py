"""Card numbers in mails: they are struck out before anything is kept, not even a sealed copy holds one."""

from email import message_from_bytes, policy
from email.message import EmailMessage, Message

from workers.domain import cards, mail_header, mail_text

_READ_BYTES = 1 << 20
_KEPT_HEADERS = (
    "Date", "From", "Reply-To", "To", "Message-ID", "In-Reply-To", "References", "Auto-Submitted", "Precedence",
    "List-Id", "X-Auto-Response-Suppress",
)  # fmt: skip
_NOTE = "[Card numbers were struck out when this mail arrived; attachments were not kept.]"


def without_cards(content: bytes) -> bytes:
    """The mail as it came; or, where a text or the subject holds a card number, a mail of its words without it.

    Reports of mail servers are left as they are: their long numbers are queue names. A mail that cannot be read is
    looked through as it is.
    """
    try:
        return _judged(content)
    except Exception:  # whatever form a mail has, it must not get lost over it
        text = content.decode("utf-8", "surrogateescape")
        return mail_text.without_cards(text).encode("utf-8", "surrogateescape") if cards.find(text) else content


def _judged(content: bytes) -> bytes:
    message = message_from_bytes(content[:_READ_BYTES])
    if message.get_content_type() == "multipart/report":
        return content
    subject = mail_header.text(message, "Subject")
    written = [subject, *mail_text.texts(message)]
    if not any(cards.find(one) for one in written):
        return content
    return _rewritten(message, subject, mail_text.text(message))


def _rewritten(message: Message, subject: str, written: str) -> bytes:
    made = EmailMessage(policy=policy.SMTP)
    for name in _KEPT_HEADERS:
        value = mail_header.raw(message, name)
        if value and not cards.find(value):
            made[f"X-{name}" if name == "To" else name] = value
    made["Subject"] = mail_text.without_cards(subject)
    made.set_content(f"{mail_text.without_cards(written)}\n\n{_NOTE}\n", charset="utf-8", cte="base64")
    return made.as_bytes()
