"""From a claimed mail to the message that is sent: its content, its personal links, its signature."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import orjson

from workers.mail import desk, links, mime, templates
from workers.mail.dkim import Signer
from workers.mail.ledger import Claimed
from workers.mail.mime import Content, Envelope
from workers.settings import Settings
from workers.vault import sealing
from workers.vault.keyring import Keyring
from workers.vault.subjects import Subject

IssueContent = Callable[[int, str], Content]
"""The content of an issue in a language, with `UNSUBSCRIBE_URL` where the personal link goes."""

UNSUBSCRIBE_URL = "https://unsubscribe.invalid/here"
_ACKNOWLEDGEMENTS = frozenset(("contact_acknowledged", "contact_no_confirmation"))


class Ready(NamedTuple):
    """A mail that can be sent."""

    mail: Claimed
    sender: str
    recipient: str
    message: bytes


class Composer:
    """Makes messages of one shop."""

    def __init__(self, settings: Settings, keyring: Keyring, signer: Signer, issue: IssueContent) -> None:
        self._settings = settings
        self._keyring = keyring
        self._signer = signer
        self._issue = issue

    def open(self, mail: Claimed, subject: Subject, address: tuple[bytes, bytes] | None) -> desk.Letter:
        """To whom it goes and what it says; `address` is the contact's hash and sealed address, for a mail without a
        letter of its own.

        Raises sealing.Unreadable when the subject's key does not open it.
        """
        if mail.sealed is not None:
            return desk.open_letter(subject, mail.mail_id, mail.sealed)
        assert address is not None
        return desk.Letter(_opened(subject, *address), {})

    def compose(self, mail: Claimed, letter: desk.Letter, now: datetime) -> Ready:
        """The signed message, ready to be sent."""
        unsubscribe = self._unsubscribe(mail)
        content = self._content(mail, letter, unsubscribe)
        envelope = self._envelope(mail, letter, unsubscribe, now)
        bounce = links.tagged(self._settings.bounce_address, links.bounce_token(self._keyring, mail.mail_id))
        return Ready(mail, bounce, letter.to, mime.message(content, envelope, self._signer))

    def _content(self, mail: Claimed, letter: desk.Letter, unsubscribe: tuple[str, str] | None) -> Content:
        if mail.issue_id is None:
            return templates.render(mail.template, mail.language, {"shop": self._settings.shop_name, **letter.values})
        content = self._issue(mail.issue_id, mail.language)
        assert unsubscribe is not None
        return Content(
            content.subject,
            content.text.replace(UNSUBSCRIBE_URL, unsubscribe[0]),
            content.html.replace(UNSUBSCRIBE_URL, unsubscribe[0]),
        )

    def _envelope(
        self, mail: Claimed, letter: desk.Letter, unsubscribe: tuple[str, str] | None, now: datetime
    ) -> Envelope:
        settings, is_marketing = self._settings, mail.class_ == "marketing"
        return Envelope(
            sender=settings.newsletter_from if is_marketing else settings.mail_from,
            sender_name=settings.shop_name,
            to=letter.to,
            message_id=links.message_id(self._keyring, mail.mail_id, settings.dkim_domain),
            at=now,
            unsubscribe=unsubscribe,
            list_id=f"{mail.purpose}.{settings.dkim_domain}" if is_marketing else None,
            reply_to=letter.reply_to or (settings.contact_address if is_marketing else None),
            automatic="auto-replied" if mail.template in _ACKNOWLEDGEMENTS else "auto-generated",
        )

    def _unsubscribe(self, mail: Claimed) -> tuple[str, str] | None:
        if mail.class_ != "marketing" or mail.contact_id is None or mail.purpose is None:
            return None
        token = links.unsubscribe_token(self._keyring, mail.contact_id, mail.purpose)
        tag = links.unsubscribe_tag(self._keyring, mail.contact_id, mail.purpose)
        return f"{self._settings.public_url}/u/{token}", links.tagged(self._settings.unsubscribe_address, tag)


def _opened(subject: Subject, email_hash: bytes, sealed: bytes) -> str:
    place = sealing.place("contacts", "sealed", subject.subject_id, email_hash.hex())
    email: str = orjson.loads(subject.key.unseal(sealed, place))["email"]
    return email
