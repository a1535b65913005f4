"""The announcer: tells each contact and each customer once, by mail, that the policy changes, in small slices."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import asyncpg
import mode
import orjson

from workers import shipping
from workers.clock import Clock
from workers.consent.desk import ConsentDesk
from workers.db import sql
from workers.domain.consent import SuppressionReason
from workers.domain.email_address import normalise
from workers.engine import crashpoints, repeat
from workers.engine.database import Connection
from workers.engine.exit import Exit
from workers.errors import Refused
from workers.log import logger
from workers.mail import templates
from workers.mail.desk import MailDesk, Post
from workers.settings import Settings
from workers.vault.keyring import Keyring
from workers.vault.subjects import Subject, SubjectVault

_QUERIES = sql.queries("policies")
_LOG = logger(__name__)
_SLICE = 200
_INTERVAL_S = 10.0
_SETTLED_AFTER: Final = timedelta(minutes=2)
"""Numbers are given in order, yet not committed in order: who is newer than any transaction lasts is left for later."""
_FRENCH_SPEAKING: Final = frozenset(("FR", "MC"))


class Announcer(mode.Service):
    """Runs in the worker `announcements`; several may: a version is in one hand for the length of a slice.

    The mails of a slice and how far it is are one transaction, and each address has one mail of a version at most.
    """

    def __init__(
        self, pool: asyncpg.Pool, vault: SubjectVault, keyring: Keyring, consent: ConsentDesk, mail_desk: MailDesk,
        settings: Settings, clock: Clock, exit_: Exit,
    ) -> None:  # fmt: skip
        super().__init__()
        self._pool = pool
        self._vault = vault
        self._keyring = keyring
        self._consent = consent
        self._mail_desk = mail_desk
        self._settings = settings
        self._clock = clock
        self._exit = exit_

    async def run(self) -> None:
        """Announce all that there is to announce now."""
        for row in await self._pool.fetch(_QUERIES["announcing"]):
            while not self.should_stop and await self._slice(row["version"]):
                pass

    async def _slice(self, version: str) -> bool:
        """Tell the next people; False when everybody was told who is known now."""
        async with self._pool.acquire() as connection, connection.transaction():
            policy = await connection.fetchrow(_QUERIES["hold"], version)
            if policy is None:
                return False
            now = self._clock()
            settled = now - _SETTLED_AFTER
            contacts = await connection.fetch(_QUERIES["contacts"], policy["reached_contact_id"], _SLICE, settled)
            customers = await connection.fetch(_QUERIES["customers"], policy["reached_subject_id"], _SLICE, settled)
            if not contacts and not customers:
                await self._close(connection, policy, now)
                return False
            posts = await self._to_contacts(connection, [row["contact_id"] for row in contacts], policy)
            posts += await self._to_customers(connection, customers, policy)
            posted = await self._mail_desk.post_many(connection, posts, template="policy_announced", now=now)
            reached = [row["contact_id"] for row in contacts[-1:]], [row["subject_id"] for row in customers[-1:]]
            count = sum(mail_id is not None for mail_id in posted)
            await connection.execute(_QUERIES["reach"], version, *(max(one, default=0) for one in reached), count, now)
            crashpoints.reach("announcer.before_commit")
        _LOG.info("policy_announced", version=version, mails=count)
        return True

    async def _close(self, connection: Connection, policy: asyncpg.Record, now: datetime) -> None:
        """From the day on which it applies, who is new has seen this version and need not be told."""
        if now.astimezone(ZoneInfo(self._settings.time_zone)).date() >= policy["effective"]:
            await connection.execute(_QUERIES["announced"], policy["version"], now)

    async def _to_contacts(
        self, connection: Connection, contact_ids: Sequence[int], policy: asyncpg.Record
    ) -> list[Post]:
        found = await self._consent.contacts_by_id(connection, contact_ids)
        return [
            self._post(one.subject, one.email, one.language, policy, number) for number, one in sorted(found.items())
        ]

    async def _to_customers(
        self, connection: Connection, rows: Sequence[asyncpg.Record], policy: asyncpg.Record
    ) -> list[Post]:
        """By the address of their order, where that was not found to be gone."""
        subjects = await self._vault.hold_by_id(connection, {row["subject_id"] for row in rows})
        posts = []
        for row in rows:
            subject = subjects.get(row["subject_id"])
            recipient = shipping.open_recipient(row["recipient"], subject, row["shipment_id"])
            if subject is None or recipient is None or recipient.email is None:
                continue
            try:
                email = normalise(recipient.email)
            except Refused:
                continue
            suppression = await self._consent.suppression(connection, email, "*")
            if suppression is None or suppression.reason is not SuppressionReason.HARD_BOUNCE:
                spoken = "fr" if recipient.country_code in _FRENCH_SPEAKING else "en"
                posts.append(self._post(subject, email, spoken, policy))
        return posts

    def _post(
        self, subject: Subject, email: str, language: str, policy: asyncpg.Record, contact_id: int | None = None
    ) -> Post:
        version, spoken = policy["version"], templates.supported(language)
        summaries = {one["language"]: one["text"] for one in orjson.loads(policy["summaries"])}
        values = {
            "version": version,
            "date": templates.day(policy["effective"], spoken),
            "summary": summaries.get(spoken) or summaries.get("en") or next(iter(summaries.values())),
            "url": f"{self._settings.public_url}/{spoken}/policy/{version}",
        }
        once = self._keyring.lookup_hash("email", f"policy {version} {email}".encode())
        return Post(subject, email, spoken, values, contact_id, dedupe=once)

    @mode.Service.task
    async def _run(self) -> None:
        await self._exit.guard(repeat.until_stopped(self, self.run, _INTERVAL_S))
