"""What follows from a sorted mail, in the transaction that sorts it."""

from datetime import datetime
from email.message import Message
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from workers.consent.desk import ConsentDesk
from workers.consent.floods import Floods
from workers.consent.letters import TEMPLATES
from workers.contact import ContactDesk
from workers.db import sql
from workers.domain import mail_automatic, mail_header, mail_reports, mail_text, soft_bounces
from workers.domain.consent import ConsentChange, Effect, Entity, Kind
from workers.domain.email_address import normalise
from workers.domain.mail_reports import Bounce, Delivery
from workers.domain.mail_sorting import Arrival, Flow, Sorted
from workers.engine.database import Connection
from workers.erasure.asking import Asking, Outcome
from workers.errors import Refused
from workers.mail import links
from workers.mail.links import Subscription
from workers.postbox.inbox import Delivered, Verdict
from workers.settings import Settings
from workers.vault.keyring import Keyring

_QUERIES = sql.queries("inbox")
_QUESTION_MAX_CHARACTERS = 20_000
_ANSWERS_PER_HOUR = 60
_HOUR_S = 3600
_CONFIRMED_BY_LINK = frozenset((TEMPLATES[Effect.ASK], TEMPLATES[Effect.ASK_RENEWAL]))
"""Mails that ask for a click: an answer to one is a question and never a yes."""
SORTED, FOR_PERSON = "sorted", "for_person"


class Letter(NamedTuple):
    """A mail that is being sorted."""

    inbox_mail_id: int
    mail: Delivered
    arrival: Arrival


class Named(NamedTuple):
    """A mail of ours that a report is about. `proven`: by its tag, which its recipient's servers alone were given; a
    Message-ID goes further, with every answer and every forwarded copy."""

    mail_id: int
    proven: bool


class Flows:
    """One per process. `carry_out` returns what became of the mail."""

    def __init__(
        self, keyring: Keyring, consent: ConsentDesk, contact: ContactDesk, asking: Asking, floods: Floods,
        settings: Settings,
    ) -> None:  # fmt: skip
        self._keyring = keyring
        self._consent = consent
        self._contact = contact
        self._asking = asking
        self._floods = floods
        self._settings = settings

    async def carry_out(self, connection: Connection, letter: Letter, decided: Sorted, now: datetime) -> Verdict:
        """Do what the flow asks for, in the caller's transaction."""
        flow = decided.flow
        if flow is Flow.BOUNCE:
            assert decided.bounce is not None
            return await self._bounce(connection, letter, decided.bounce, now)
        if flow in (Flow.COMPLAINT, Flow.OPT_OUT):
            return await self._complaint(connection, letter, flow, now)
        email = mail_header.address(letter.arrival.message, "Reply-To", "From")
        sender_hash = None if email is None else self._keyring.lookup_hash("email", email.encode())
        verdict = await self._of_a_sender(connection, letter, flow, email, now)
        return verdict._replace(sender_hash=sender_hash)

    async def _of_a_sender(
        self, connection: Connection, letter: Letter, flow: Flow, email: str | None, now: datetime
    ) -> Verdict:
        if flow is Flow.UNSUBSCRIBE:
            return await self._unsubscribe(connection, letter, now)
        if flow is Flow.ERASURE:
            return await self._erasure(connection, letter, now) or await self._question(connection, letter, email, now)
        if flow is Flow.QUESTION:
            return await self._question(connection, letter, email, now)
        if flow is Flow.AUTO_REPLY:
            return Verdict(SORTED, flow, "not_answered")
        return Verdict(FOR_PERSON, flow, "not_answered", self._mail_id_of(letter))

    async def _bounce(self, connection: Connection, letter: Letter, bounce: Bounce, now: datetime) -> Verdict:
        named = self._mail_of(letter)
        mail = await self._find_mail(connection, named and named.mail_id)
        if mail is None or named is None:
            return Verdict(FOR_PERSON, Flow.BOUNCE, "not_about_a_mail_of_ours")
        mail_id = named.mail_id
        if bounce.delivery is Delivery.GONE and not named.proven:
            bounce = bounce._replace(delivery=Delivery.REFUSED)
        if bounce.delivery not in (Delivery.GONE, Delivery.REFUSED):
            return Verdict(SORTED, Flow.BOUNCE, bounce.delivery, mail_id)
        reason = f"bounced {bounce.status}".strip()
        await connection.execute(_QUERIES["mail_bounced"], mail_id, reason, now)
        contact_id = await self._contact_of(connection, mail, bounce)
        if contact_id is None:
            return Verdict(SORTED, Flow.BOUNCE, f"{bounce.delivery}_without_contact", mail_id)
        if bounce.delivery is Delivery.REFUSED and not await self._is_given_up(connection, contact_id, now):
            return Verdict(SORTED, Flow.BOUNCE, "refused_counted", mail_id)
        change = ConsentChange(
            Kind.HARD_BOUNCE, "*", Entity.LETHE, "bounce", now, contact_id=contact_id,
            evidence={"status": bounce.status, "mail_id": mail_id},
        )  # fmt: skip
        return Verdict(SORTED, Flow.BOUNCE, await self._apply(connection, change, now), mail_id)

    async def _is_given_up(self, connection: Connection, contact_id: int, now: datetime) -> bool:
        row = await connection.fetchrow(_QUERIES["soft_bounces"], contact_id)
        if row is None:
            return False
        counted = soft_bounces.count(row["soft_bounces"], row["soft_bounced_at"], now)
        await connection.execute(_QUERIES["count_soft_bounce"], contact_id, counted.total, counted.last_at)
        return counted.is_given_up

    async def _contact_of(self, connection: Connection, mail: asyncpg.Record, bounce: Bounce) -> int | None:
        """The contact that a mail went to; of a mail without one, the person's contact of the address reported."""
        if mail["contact_id"] is not None:
            return int(mail["contact_id"])
        try:
            email_hash = self._keyring.lookup_hash("email", normalise(bounce.recipient).encode())
        except Refused:
            return None
        found: int | None = await connection.fetchval(
            _QUERIES["contact_of_subject"], mail["subject_id"], UUID(bytes=email_hash)
        )
        return found

    async def _complaint(self, connection: Connection, letter: Letter, flow: Flow, now: datetime) -> Verdict:
        """Who complains is written to no more; what a Message-ID alone says ends that one subscription at most."""
        named = self._mail_of(letter)
        mail = await self._find_mail(connection, named and named.mail_id)
        subscription = self._subscription_of(letter)
        is_proven = subscription is not None or (named is not None and named.proven)
        if mail is not None and mail["contact_id"] is not None and (is_proven or mail["purpose"] is not None):
            subscription = Subscription(mail["contact_id"], mail["purpose"] or "*")
        mail_id = None if mail is None else mail["mail_id"]
        if subscription is None:
            return Verdict(FOR_PERSON, flow, "not_about_a_mail_of_ours" if mail is None else "not_proven", mail_id)
        is_complaint = flow is Flow.COMPLAINT and is_proven
        change = ConsentChange(
            Kind.COMPLAINT if is_complaint else Kind.WITHDRAWN,
            "*" if is_complaint else subscription.purpose,
            Entity.SUBJECT, "feedback_loop", now, contact_id=subscription.contact_id,
            evidence={"inbox_mail_id": letter.inbox_mail_id},
        )  # fmt: skip
        return Verdict(SORTED, flow, await self._apply(connection, change, now), mail_id)

    async def _unsubscribe(self, connection: Connection, letter: Letter, now: datetime) -> Verdict:
        tag = links.tag_of(letter.mail.recipient)
        named = links.read_unsubscribe_tag(self._keyring, tag or "")
        assert named is not None  # the arrival says that it has a tag
        records = await self._consent.statuses(connection, named.contact_id)
        known = (*self._consent.purposes, *(one.purpose for one in records))
        purpose = next((one for one in known if named.is_about(one)), None)
        if purpose is None:
            return Verdict(SORTED, Flow.UNSUBSCRIBE, "nothing_to_end")
        change = ConsentChange(
            Kind.WITHDRAWN, purpose, Entity.SUBJECT, "email", now, contact_id=named.contact_id,
            evidence={"inbox_mail_id": letter.inbox_mail_id},
        )  # fmt: skip
        return Verdict(SORTED, Flow.UNSUBSCRIBE, await self._apply(connection, change, now))

    async def _erasure(self, connection: Connection, letter: Letter, now: datetime) -> Verdict | None:
        """None: a person must look at it. The link goes to the address that we know; who borrows a name gets none."""
        author = mail_header.address(letter.arrival.message, "From")
        if author is None or not self._is_from_a_person(letter):
            return None
        contact = await self._consent.contact_by_email(connection, author)
        spoken = contact.language if contact is not None else mail_text.language(mail_text.text(letter.arrival.message))
        outcome = await self._asking.by_address(connection, author, "mail", spoken, now)
        if outcome in (Outcome.UNKNOWN, Outcome.TOO_OFTEN):
            return None
        return Verdict(SORTED, Flow.ERASURE, outcome)

    async def _question(self, connection: Connection, letter: Letter, email: str | None, now: datetime) -> Verdict:
        message = letter.arrival.message
        if email is None:
            return Verdict(FOR_PERSON, Flow.QUESTION, "no_address_to_answer_to")
        contact = await self._consent.contact_by_email(connection, email)
        written = mail_text.text(message)
        spoken = contact.language if contact is not None else mail_text.language(written)
        answered_mail = self._mail_id_of(letter)
        mail = await self._find_mail(connection, answered_mail)
        asks_for_a_click = mail is not None and mail["template"] in _CONFIRMED_BY_LINK
        if contact is not None and mail is not None and not asks_for_a_click:  # they have a mail of ours: really them
            await self._consent.touch(connection, contact.contact_id, now)
        is_passed_on = self._settings.staff_address is not None  # elsewhere it would come back to this postbox
        await self._contact.ask(
            connection, email=email, question=self._question_text(letter, message, written), language=spoken, now=now,
            forward=is_passed_on, acknowledge=await self._may_acknowledge(connection, letter, now),
            is_no_confirmation=asks_for_a_click,
        )  # fmt: skip
        state = SORTED if is_passed_on else FOR_PERSON
        return Verdict(state, Flow.QUESTION, "passed_on" if is_passed_on else "listed", answered_mail)

    def _question_text(self, letter: Letter, message: Message, written: str) -> str:
        subject = mail_header.text(message, "Subject")
        count = mail_text.attachments(message)
        attached = f", {count} attachments" if count else ""
        cut = f"{written[:_QUESTION_MAX_CHARACTERS]} […]" if len(written) > _QUESTION_MAX_CHARACTERS else written
        whole = f"[lethe postbox show {letter.inbox_mail_id}: {len(letter.mail.content)} bytes{attached}]"
        return "\n\n".join(part for part in (subject, cut, whole) if part)

    async def _may_acknowledge(self, connection: Connection, letter: Letter, now: datetime) -> bool:
        """Not to machines; and of one domain only so many an hour, as a sender's name is easily borrowed."""
        if not self._is_from_a_person(letter):
            return False
        domain = letter.mail.sender.rpartition("@")[2].lower()
        return await self._floods.allow(connection, "contact_mail", domain, _ANSWERS_PER_HOUR, _HOUR_S, now)

    def _is_from_a_person(self, letter: Letter) -> bool:
        return mail_automatic.may_be_answered(letter.arrival.message, letter.mail.sender, self.own_addresses)

    @property
    def own_addresses(self) -> frozenset[str]:
        """Where our own mails come from and questions go to."""
        settings = self._settings
        named = (settings.contact_address, settings.mail_from, settings.newsletter_from, settings.staff_address)
        return frozenset(one.lower() for one in named if one)

    async def _apply(self, connection: Connection, change: ConsentChange, now: datetime) -> str:
        """Through the desk; what became of it. A contact that was erased since has nothing left to end."""
        (outcome,) = await self._consent.apply(connection, [change], now)
        return "nothing_to_end" if outcome.refusal is not None else str(change.kind)

    async def _find_mail(self, connection: Connection, mail_id: int | None) -> Any:
        return None if mail_id is None else await connection.fetchrow(_QUERIES["mail_named"], mail_id)

    def _mail_id_of(self, letter: Letter) -> int | None:
        named = self._mail_of(letter)
        return None if named is None else named.mail_id

    def _mail_of(self, letter: Letter) -> Named | None:
        """The mail of ours that it is about, shown by what that mail's recipient was given."""
        found = mail_reports.witnesses(letter.arrival.message)
        for address in (letter.mail.recipient, *found.addresses):
            mail_id = links.read_bounce_token(self._keyring, links.tag_of(address) or "")
            if mail_id is not None:
                return Named(mail_id, proven=True)
        for message_id in found.message_ids:
            mail_id = links.read_message_id(self._keyring, message_id, self._settings.dkim_domain)
            if mail_id is not None:
                return Named(mail_id, proven=False)
        return None

    def _subscription_of(self, letter: Letter) -> Subscription | None:
        """The subscription whose unsubscribe link a report quotes."""
        for value in mail_reports.witnesses(letter.arrival.message).unsubscribe:
            token = value.partition(f"{self._settings.public_url}/u/")[2].partition(">")[0].strip()
            named = links.read_unsubscribe_token(self._keyring, token)
            if named is not None:
                return named
        return None
