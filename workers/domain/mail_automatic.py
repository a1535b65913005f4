"""Which mails a machine wrote, and which must not be answered by one (RFC 3834, section 2)."""

import re
from collections.abc import Collection
from email.message import Message

from workers.domain import mail_header

_AUTO_REPLY_HEADERS = ("X-Autoreply", "X-Autorespond", "X-AutoReply-From", "X-Mail-Autoreply", "X-Auto-Response")
_LIST_HEADERS = ("List-Id", "List-Unsubscribe", "List-Post", "List-Help", "Mailing-List", "X-Mailing-List")
_BULK = frozenset(("bulk", "junk", "list"))
_MACHINES = re.compile(
    r"^(?:mailer-daemon|postmaster|no-?reply|do-?not-?reply|bounces?|owner-.*|.*-request|.*-bounces)(?:\+.*)?@",
    re.IGNORECASE,
)
_OUT_OF_OFFICE = re.compile(
    r"^(?:auto(?:matic|mated)?[ -:]*(?:reply|response)|out of (?:the )?office|réponse automatique|absence du bureau"
    r"|abwesenheit)",
    re.IGNORECASE,
)


def is_auto_reply(message: Message) -> bool:
    """An answer that no person wrote: out of office, an acknowledgement, a receipt for a mail that was opened."""
    said = mail_header.raw(message, "Auto-Submitted").partition(";")[0].strip().lower()
    if said in ("auto-replied", "auto-notified") or any(name in message for name in _AUTO_REPLY_HEADERS):
        return True
    if message.get_content_type() == "multipart/report":
        return str(message.get_param("report-type", "")).lower() == "disposition-notification"
    if said == "no":
        return False
    precedence = mail_header.raw(message, "Precedence").lower()
    return precedence == "auto_reply" or _OUT_OF_OFFICE.match(mail_header.text(message, "Subject")) is not None


def may_be_answered(message: Message, envelope_sender: str, own: Collection[str]) -> bool:
    """Whether a machine may confirm that it arrived: not to machines, lists and ourselves, or two machines would
    write to each other for ever. `own` are addresses of ours, normalised."""
    said = mail_header.raw(message, "Auto-Submitted").partition(";")[0].strip().lower()
    if said not in ("", "no") or is_auto_reply(message) or not envelope_sender:
        return False
    if any(name in message for name in (*_LIST_HEADERS, "X-Loop")):
        return False
    if mail_header.raw(message, "Precedence").lower() in _BULK:
        return False
    suppressed = {one.strip().lower() for one in mail_header.raw(message, "X-Auto-Response-Suppress").split(",")}
    if suppressed & {"all", "autoreply"}:
        return False
    author = mail_header.address(message, "From") or ""
    return not any(_MACHINES.match(one) or one.lower() in own for one in (author, envelope_sender))
