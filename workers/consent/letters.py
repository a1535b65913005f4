"""The mails that a consent event leads to: please confirm, please renew, nothing left to do."""

from datetime import datetime, timedelta
from typing import NamedTuple

from workers.consent.contacts import Contact
from workers.consent.floods import Floods
from workers.consent.records import ConsentRecord
from workers.consent.tokens import Tokens
from workers.domain.consent import Effect
from workers.domain.purposes import Purposes
from workers.engine.database import Connection
from workers.mail import templates
from workers.mail.desk import MailDesk
from workers.settings import Settings

CONFIRM_TOKEN = "confirm"  # noqa: S105  (the name of a kind)
TEMPLATES = {
    Effect.ASK: "confirm_subscription",
    Effect.ASK_RENEWAL: "renew_consent",
    Effect.TELL_VALID: "already_subscribed",
}
_PER_DAY = 3
_DAY_S = 86_400


class Letter(NamedTuple):
    """One mail to write, about one consent or several of the same contact."""

    effect: Effect
    contact: Contact
    records: tuple[ConsentRecord, ...]

    @property
    def expires_at(self) -> datetime | None:
        """When the first of them ends, and with it a renewal link."""
        return min((one.record.expires_at for one in self.records if one.record.expires_at is not None), default=None)


class Letters:
    """Writes them into the ledger of mails, at most a few a day per address and kind, whoever asks for them."""

    def __init__(
        self, mail_desk: MailDesk, tokens: Tokens, floods: Floods, purposes: Purposes, settings: Settings
    ) -> None:
        self._mail_desk = mail_desk
        self._tokens = tokens
        self._floods = floods
        self._purposes = purposes
        self._settings = settings

    async def post(self, connection: Connection, letter: Letter, now: datetime) -> bool:
        """Whether it is on its way; False when the address has had enough of its kind today."""
        contact, kind = letter.contact, TEMPLATES[letter.effect]
        if not await self._floods.allow(connection, kind, contact.email, _PER_DAY, _DAY_S, now):
            return False
        titles = [self._purposes[one.purpose].title_in(contact.language) for one in letter.records]
        values = {"purpose": templates.listed(titles, contact.language)}
        if letter.effect is not Effect.TELL_VALID:
            lifetime, record_ids = self._lifetime(letter, now), [one.record_id for one in letter.records]
            token = await self._tokens.issue(
                connection, CONFIRM_TOKEN, contact.contact_id, record_ids, now, lifetime
            )  # fmt: skip
            values["url"] = f"{self._settings.public_url}/confirm/{token}"
            values["hours"] = str(int(lifetime.total_seconds() // 3600))
        if letter.expires_at is not None:
            values["expires_on"] = templates.day(letter.expires_at.date(), contact.language)
        await self._mail_desk.post(
            connection, contact.subject, to=contact.email, template=kind, language=contact.language, values=values,
            now=now, contact_id=contact.contact_id,
            purpose=letter.records[0].purpose if len(letter.records) == 1 else None,
        )  # fmt: skip
        return True

    def _lifetime(self, letter: Letter, now: datetime) -> timedelta:
        if letter.effect is Effect.ASK_RENEWAL and letter.expires_at is not None:
            return letter.expires_at - now
        return timedelta(hours=self._settings.confirm_hours)
