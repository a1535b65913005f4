"""The LMTP listener (RFC 2033): a mail is stored before the mail server is told that it was taken.

What is not stored gets a 4xx, and the mail server keeps it and tries again: nothing is lost by us.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import mode
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from workers.engine import database
from workers.log import logger
from workers.postbox.inbox import Delivered
from workers.settings import Settings

_LOG = logger(__name__)
_TAKEN = "250 2.0.0 stored"
_LATER = "451 4.3.0 not stored, try again later"
_ONE_AFTER_THE_OTHER = 4
_TIMEOUT_S = 300
_MAX_RECIPIENTS = 100
_PATH = re.compile(r"\s*<(?:@[^:>]*:)?([^<>]*)>\s*(.*)", re.DOTALL)

Keep = Callable[[Sequence[Delivered]], Awaitable[None]]


class Lmtp(LMTP):
    """aiosmtpd's LMTP, made to lose nothing that a mail server may deliver.

    It answers once per recipient (RFC 2033, 4.2), takes lines of any length and addresses of any form: whoever wrote
    the mail does not know our parser.
    """

    def __init__(self, *arguments: Any, max_bytes: int, **options: Any) -> None:
        self.line_length_limit = max_bytes + 2
        self._answers = 0
        super().__init__(*arguments, data_size_limit=max_bytes, **options)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802  (aiosmtpd's)
        """Take the mail; the answer to its content is repeated for each recipient."""
        self._answers = len(self.envelope.rcpt_tos) if self.envelope is not None else 0
        try:
            await super().smtp_DATA(arg)
        finally:
            self._answers = 0

    async def push(self, status: Any) -> None:
        """Answer; inside DATA once per recipient, but for the word to go on and for commands out of order."""
        times = self._answers if self._answers and not str(status).startswith(("354", "501", "503")) else 1
        for _ in range(times):
            await super().push(status)

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        found = _PATH.fullmatch(arg)
        if found is None:
            return None, None
        return found[1].strip() or "<>", found[2]


class Listener(mode.Service):
    """Listens on `postbox_host`:`postbox_port`; `listening` once mails are taken."""

    def __init__(self, keep: Keep, settings: Settings) -> None:
        super().__init__()
        self.listening = False
        self._keep = keep
        self._settings = settings
        self._turns = asyncio.Semaphore(_ONE_AFTER_THE_OTHER)
        self._server: asyncio.Server | None = None

    async def on_start(self) -> None:
        """Take mails. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Lmtp(
                self, max_bytes=self._settings.postbox_max_bytes, enable_SMTPUTF8=True, hostname="lethe", ident="LMTP",
                timeout=_TIMEOUT_S, loop=loop,
            ),
            self._settings.postbox_host,
            self._settings.postbox_port,
        )  # fmt: skip
        self.listening = True

    async def on_stop(self) -> None:
        """Take no more. Whoever is in the middle of a mail gets no answer, and delivers it again."""
        self.listening = False
        if self._server is not None:
            self._server.close()

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Every recipient: which ones there are is the mail server's to know."""
        if len(envelope.rcpt_tos) >= _MAX_RECIPIENTS:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Store one mail for each of its recipients, all or none."""
        sender = "" if envelope.mail_from in (None, "<>") else str(envelope.mail_from)
        content = envelope.original_content or b""
        try:
            async with self._turns:
                await self._keep([Delivered(sender, recipient, content) for recipient in envelope.rcpt_tos])
        except database.RETRIED_ERRORS as error:
            _LOG.warning("mail_not_stored", error=type(error).__name__)
            return _LATER
        return _TAKEN

    async def handle_exception(self, error: Exception) -> str:
        """Nothing of it is told: it might repeat what the mail says."""
        _LOG.error("mail_not_stored", exc_info=error)
        return _LATER
