"""Escalation: staff are told by mail when the legal deadline of requests comes near, and daily once it was missed."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import mode

from workers.clock import Clock
from workers.db import sql
from workers.domain.deadlines import WARNING_DAYS, end_of
from workers.engine import repeat
from workers.engine.exit import Exit
from workers.mail import templates
from workers.mail.desk import MailDesk
from workers.settings import Settings
from workers.vault.keyring import Keyring
from workers.vault.subjects import SubjectVault

_QUERIES = sql.queries("requests")
_INTERVAL_S = 600.0
_LANGUAGE = templates.LANGUAGES[0]


class Escalation(mode.Service):
    """Runs in the worker `requests`; several may: each mail is posted once.

    One mail a day for each step of WARNING_DAYS that requests have reached, however many they are: how many, and the
    one that is due first. It names nobody.
    """

    def __init__(
        self, pool: asyncpg.Pool, vault: SubjectVault, keyring: Keyring, mail: MailDesk, settings: Settings,
        clock: Clock, exit_: Exit,
    ) -> None:  # fmt: skip
        super().__init__()
        self._pool = pool
        self._vault = vault
        self._keyring = keyring
        self._mail = mail
        self._settings = settings
        self._zone = ZoneInfo(settings.time_zone)
        self._clock = clock
        self._exit = exit_

    async def tell_staff(self) -> int:
        """Post what is to be said today and was not yet; returns how many mails."""
        now = self._clock()
        today = now.astimezone(self._zone).date()
        posted, after = 0, datetime.min.replace(tzinfo=now.tzinfo)
        for days in sorted(WARNING_DAYS):
            until = end_of(today + timedelta(days=days), self._zone)
            async with self._pool.acquire() as connection, connection.transaction():
                due = await connection.fetchrow(_QUERIES["due"], after, until)
                if due is not None:
                    posted += await self._post(connection, due, days, now)
            after = until
        return posted

    async def _post(
        self, connection: asyncpg.pool.PoolConnectionProxy, due: asyncpg.Record, days: int, now: datetime
    ) -> bool:
        to = self._settings.staff_address or self._settings.contact_address
        today = now.astimezone(self._zone).date()
        last_day = (due["due_at"] - timedelta(seconds=1)).astimezone(self._zone).date()
        values = {
            "shop": self._settings.shop_name, "count": str(due["requests"]), "days_left": str(days),
            "reference": str(due["request_id"]), "due_on": templates.day(last_day, _LANGUAGE), "state": due["state"],
        }  # fmt: skip
        hash_ = self._vault.reference_hash(f"staff {to}")  # no customer reference has a space in it
        subject = (await self._vault.hold(connection, [hash_]))[hash_]
        once = self._keyring.lookup_hash("email", f"requests due {days} {today}".encode())
        mail_id = await self._mail.post(
            connection, subject, to=to, template="requests_due", language=_LANGUAGE, values=values, now=now, dedupe=once
        )
        return mail_id is not None

    @mode.Service.task
    async def _run(self) -> None:
        await self._exit.guard(repeat.until_stopped(self, self.tell_staff, _INTERVAL_S))
