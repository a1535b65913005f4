"""The sorter: takes mails from the inbox one by one and carries out what each asks for, once."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import Message

import asyncpg
import mode

from workers.clock import Clock
from workers.db import sql
from workers.domain import mail_header, mail_redaction, mail_sorting
from workers.domain.mail_sorting import Arrival, Flow, Mailbox
from workers.engine import crashpoints, database
from workers.engine.database import Connection
from workers.engine.exit import Exit
from workers.errors import Stop
from workers.log import logger
from workers.mail import links
from workers.metrics import Metrics
from workers.postbox.flows import FOR_PERSON, Flows, Letter
from workers.postbox.inbox import Claimed, Delivered, Inbox, Verdict
from workers.settings import Settings
from workers.vault.keyring import Keyring

_QUERIES = sql.queries("inbox")
_LOG = logger(__name__)
ERASURE_TAG = "erasure"
"""`privacy+erasure@…`: an address that the shop can print, where a mail needs no words."""
_POLL_S = 5.0
_PAUSE_S = 1.0
_TIDY_EVERY = timedelta(minutes=1)
_MAX_ATTEMPTS = 10
_READ_BYTES = 1 << 20
"""As much of a mail is read to sort it: reports and text come before what is attached."""


class Sorter(mode.Service):
    """Runs in the worker `postbox`; several may: each mail is in one hand until its transaction ends."""

    def __init__(
        self, pool: asyncpg.Pool, inbox: Inbox, flows: Flows, keyring: Keyring, settings: Settings, metrics: Metrics,
        clock: Clock, exit_: Exit,
    ) -> None:  # fmt: skip
        super().__init__()
        self._pool = pool
        self._inbox = inbox
        self._flows = flows
        self._keyring = keyring
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._exit = exit_
        self._arrived = asyncio.Event()
        self._tidied_at: datetime | None = None

    async def keep(self, mails: Sequence[Delivered]) -> None:
        """For the listener: store mails for good, to be sorted soon. Card numbers are struck out before."""
        content = await asyncio.to_thread(mail_redaction.without_cards, mails[0].content)
        mails = [mail._replace(content=content) for mail in mails]
        async with self._pool.acquire() as connection, connection.transaction():
            await self._inbox.store(connection, mails, self._clock())
        crashpoints.reach("postbox.after_store")
        self._arrived.set()

    async def sort_next(self) -> bool:
        """Sort one mail; False when there is none. One that meets a fault of ours goes to a person."""
        async with self._pool.acquire() as connection:
            claimed = await self._inbox.claim(connection)
            if claimed is None:
                return False
            try:
                if claimed.attempts > _MAX_ATTEMPTS:
                    await self._give_up(connection, claimed, "fault, over and over")
                else:
                    await self._sort_one(connection, claimed)
            except Stop:
                raise
            except Exception as error:
                if isinstance(error, database.RETRIED_ERRORS) and not isinstance(error, database.DATA_ERRORS):
                    raise
                _LOG.error("mail_not_sorted", inbox_mail_id=claimed.inbox_mail_id, exc_info=error)
                await self._give_up(connection, claimed, f"fault {type(error).__name__}")
            return True

    async def _sort_one(self, connection: Connection, claimed: Claimed) -> None:
        mail = self._inbox.unseal(claimed.sealed)
        arrival = await asyncio.to_thread(self._arrival, mail)
        decided = await asyncio.to_thread(mail_sorting.sort, arrival)
        letter = Letter(claimed.inbox_mail_id, mail, arrival)
        async with connection.transaction():
            if not await self._inbox.hold(connection, claimed.inbox_mail_id):
                return
            verdict = await self._flows.carry_out(connection, letter, decided, self._clock())
            crashpoints.reach("postbox.before_commit")
            await self._inbox.finish(connection, claimed.inbox_mail_id, verdict, self._clock())
        self._metrics.inbox_mails.labels(verdict.flow, verdict.outcome).inc()

    async def _give_up(self, connection: Connection, claimed: Claimed, why: str) -> None:
        verdict = Verdict(FOR_PERSON, Flow.OTHER, why)
        await self._inbox.finish(connection, claimed.inbox_mail_id, verdict, self._clock())
        self._metrics.inbox_mails.labels(verdict.flow, verdict.outcome).inc()

    def _arrival(self, mail: Delivered) -> Arrival:
        message = message_from_bytes(mail.content[:_READ_BYTES])
        mailbox, has_tag = self._mailbox(mail.recipient)
        return Arrival(message, mail.sender, mailbox, has_tag, self._is_own(message))

    def _mailbox(self, recipient: str) -> tuple[Mailbox, bool]:
        """Which of our addresses it is, and whether it carries a tag of ours."""
        tag, settings = links.tag_of(recipient), self._settings
        local, _, domain = recipient.lower().rpartition("@")
        plain = f"{local.partition('+')[0]}@{domain}"
        if plain == settings.unsubscribe_address.lower():
            return Mailbox.UNSUBSCRIBE, links.read_unsubscribe_tag(self._keyring, tag or "") is not None
        if plain == settings.bounce_address.lower():
            return Mailbox.BOUNCES, links.read_bounce_token(self._keyring, tag or "") is not None
        if plain == settings.contact_address.lower() and (tag or "").lower() == ERASURE_TAG:
            return Mailbox.ERASURE, False
        answered = {settings.contact_address.lower(), settings.mail_from.lower(), settings.newsletter_from.lower()}
        return (Mailbox.CONTACT if plain in answered else Mailbox.OTHER), False

    def _is_own(self, message: Message) -> bool:
        message_id = mail_header.raw(message, "Message-ID").strip("<> ")
        return links.read_message_id(self._keyring, message_id, self._settings.dkim_domain) is not None

    async def tidy(self) -> None:
        """Let go of the copies of mails that were dealt with long ago; count what is open."""
        now = self._clock()
        kept_from = now - timedelta(days=self._settings.postbox_kept_days)
        await self._pool.execute(_QUERIES["forget_before"], kept_from)
        self._metrics.inbox_open.clear()
        for row in await self._pool.fetch(_QUERIES["count_open"]):
            self._metrics.inbox_open.labels(row["state"], row["flow"]).set(row["mails"])
        self._tidied_at = now

    @mode.Service.task
    async def _run(self) -> None:
        await self._exit.guard(self._run_until_stopped())

    async def _run_until_stopped(self) -> None:
        while not self.should_stop:
            self._arrived.clear()
            try:
                while not self.should_stop and await self.sort_next():
                    pass
                if self._tidied_at is None or self._clock() - self._tidied_at >= _TIDY_EVERY:
                    await self.tidy()
            except database.RETRIED_ERRORS as error:
                _LOG.warning("sorting_retried", error=type(error).__name__)
                await self.sleep(_PAUSE_S)
                continue
            await self._wait()

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._arrived.wait(), _POLL_S)
