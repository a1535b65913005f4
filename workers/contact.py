"""The contact desk: a person's question goes to the shop's mailbox, to be answered there; the person is told so."""

import secrets
from datetime import datetime

from workers.consent.desk import ConsentDesk
from workers.consent.floods import Floods
from workers.domain.email_address import normalise
from workers.engine.database import Connection
from workers.mail import templates
from workers.mail.desk import MailDesk
from workers.settings import Settings
from workers.vault.keyring import Keyring
from workers.vault.subjects import Subject, SubjectVault

_ACKNOWLEDGED_PER_DAY = 3
_DAY_S = 86_400


class ContactDesk:
    """One per process. What is asked stands in the ledger of mails, sealed under the key of the person who asks."""

    def __init__(
        self, vault: SubjectVault, keyring: Keyring, consent: ConsentDesk, mail_desk: MailDesk, settings: Settings
    ) -> None:
        self._vault = vault
        self._keyring = keyring
        self._consent = consent
        self._mail_desk = mail_desk
        self._floods = Floods(keyring)
        self._settings = settings

    async def ask(
        self,
        connection: Connection,
        *,
        email: str,
        question: str,
        language: str,
        now: datetime,
        forward: bool = True,
        acknowledge: bool = True,
        is_no_confirmation: bool = False,
    ) -> str:
        """Forward a question, in the caller's transaction; returns the reference that both sides are given.

        Every question reaches the shop; the acknowledgement is sent a few times a day to one address only, as nobody
        has shown that it is the asking person's own. `forward` is False where the shop has it already, `acknowledge`
        where a machine must not answer. `is_no_confirmation`: it answers a mail that asks for a click, and is told that
        the answer is none. Raises Refused where `email` is no address.
        """
        spelled = normalise(email)
        reference = f"{now:%Y%m%d}-{secrets.token_hex(3)}"
        subject = await self._subject(connection, spelled, reference)
        if forward:
            await self._mail_desk.post(
                connection, subject, to=self._settings.staff_address or self._settings.contact_address,
                template="contact_question", language=language, values={"reference": reference, "question": question},
                now=now, reply_to=spelled,
            )  # fmt: skip
        if acknowledge and await self._floods.allow(connection, "contact", spelled, _ACKNOWLEDGED_PER_DAY, _DAY_S, now):
            await self._mail_desk.post(
                connection, subject, to=spelled, language=language, now=now,
                template="contact_no_confirmation" if is_no_confirmation else "contact_acknowledged",
                values={
                    "reference": reference, "date": templates.day(now.date(), language),
                    "url": f"{self._settings.public_url}/subscribe",
                },
            )  # fmt: skip
        return reference

    async def _subject(self, connection: Connection, email: str, reference: str) -> Subject:
        """Whose key the mails are sealed under: the person's; a new one while the person's is being erased, as
        nothing under that leaves any more and a question must not get lost."""
        contact = await self._consent.contact_by_email(connection, email)
        if contact is not None:
            return contact.subject
        found = await self._hold(connection, email)
        return await self._hold(connection, f"{email} {reference}") if found.fenced else found

    async def _hold(self, connection: Connection, named: str) -> Subject:
        hash_ = self._keyring.lookup_hash("email", named.encode())
        return (await self._vault.hold(connection, [hash_]))[hash_]
