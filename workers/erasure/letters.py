"""Mails about a request, under the request's own key: a fence of the person does not hold them back."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from workers.engine.database import Connection
from workers.erasure.identities import Identities
from workers.mail import templates
from workers.mail.desk import MailDesk
from workers.settings import Settings
from workers.vault.keyring import Keyring
from workers.vault.subjects import Subject


class RequestLetters:
    """Posts them, each once."""

    def __init__(self, mail: MailDesk, keyring: Keyring, settings: Settings) -> None:
        self._mail = mail
        self._keyring = keyring
        self._settings = settings
        self._zone = ZoneInfo(settings.time_zone)

    async def post(
        self, connection: Connection, template: str, key: Subject, to: Identities, language: str,
        values: Mapping[str, str], now: datetime,
    ) -> int | None:  # fmt: skip
        """The mail's number; None where no address is known, or the same was posted before."""
        if not to.emails:
            return None
        once = self._keyring.lookup_hash("email", f"request {key.subject_id} {template} {values.get('url')}".encode())
        return await self._mail.post(
            connection, key, to=to.emails[0], template=template, language=templates.supported(language),
            values={"authority": self._settings.supervisory_authority, **values}, now=now, dedupe=once,
        )  # fmt: skip

    def day(self, moment: datetime) -> str:
        """A day as mails write it."""
        return moment.astimezone(self._zone).date().isoformat()
