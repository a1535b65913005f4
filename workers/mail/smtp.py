"""SMTP connections, kept open and lent out; a conversation stops before DATA and asks whether it may go on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from ssl import SSLContext, create_default_context
from typing import NamedTuple

import aiosmtplib

from workers.settings import Settings

_FAILURES = (aiosmtplib.SMTPException, OSError, asyncio.TimeoutError, EOFError)

# Greeting, log-in and envelope sender: the same for every mail, so a refusal is a fault of the set-up, to be mended.
_NOT_ABOUT_THE_MAIL = (
    aiosmtplib.SMTPConnectResponseError,
    aiosmtplib.SMTPHeloError,
    aiosmtplib.SMTPAuthenticationError,
    aiosmtplib.SMTPSenderRefused,
)


class Answer(StrEnum):
    """What is known about one mail after the conversation."""

    ACCEPTED = "accepted"
    LATER = "later"
    """Refused for now (4xx), or never offered: DATA was not begun or was answered with a refusal."""
    REFUSED = "refused"
    """Refused for good (5xx)."""
    UNKNOWN = "unknown"
    """DATA was begun and its last answer did not arrive (RFC 5321, 6.1; RFC 1047)."""
    NOT_BEGUN = "not_begun"
    """The gate was closed before DATA."""


class Outcome(NamedTuple):
    """`code` is the server's, None where it gave none. No text of the server: it may repeat the address."""

    answer: Answer
    code: int | None = None


class Connections:
    """At most `smtp_connections` at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._idle: list[aiosmtplib.SMTP] = []
        self._free = asyncio.Semaphore(settings.smtp_connections)
        self._tls = _tls(settings)

    async def send(self, sender: str, recipient: str, message: bytes, may_begin: Callable[[], bool]) -> Outcome:
        """Offer one mail. `may_begin` is asked at the last moment: no DATA command is sent once it says no."""
        begun = False
        try:
            async with self._lent() as connection:
                options = ["SMTPUTF8"] if not recipient.isascii() else []
                await connection.mail(sender, options=options, encoding="utf-8" if options else "ascii")
                await connection.rcpt(recipient, encoding="utf-8" if options else "ascii")
                if not may_begin():
                    await connection.rset()
                    return Outcome(Answer.NOT_BEGUN)
                begun = True
                response = await connection.data(message)
                return Outcome(Answer.ACCEPTED, response.code)
        except _NOT_ABOUT_THE_MAIL as error:
            return Outcome(Answer.LATER, error.code)
        except aiosmtplib.SMTPResponseException as error:
            return Outcome(Answer.REFUSED if error.code >= 500 else Answer.LATER, error.code)
        except (*_FAILURES, ValueError):
            return Outcome(Answer.UNKNOWN if begun else Answer.LATER)

    async def close(self) -> None:
        """Say goodbye on idle connections."""
        for connection in self._idle:
            with suppress(*_FAILURES):
                await asyncio.wait_for(connection.quit(), 2)
        self._idle.clear()

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[aiosmtplib.SMTP]:
        async with self._free:
            connection = await self._connection()
            try:
                yield connection
            except aiosmtplib.SMTPResponseException:
                if await _is_clean(connection):
                    self._idle.append(connection)
                raise
            except BaseException:
                connection.close()
                raise
            self._idle.append(connection)

    async def _connection(self) -> aiosmtplib.SMTP:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_connected:
                return connection
        settings = self._settings
        connection = aiosmtplib.SMTP(
            hostname=settings.smtp_host, port=settings.smtp_port, timeout=settings.smtp_timeout_s,
            use_tls=settings.smtp_security == "tls", start_tls=settings.smtp_security == "starttls",
            tls_context=self._tls, username=settings.smtp_username,
            password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
        )  # fmt: skip
        await connection.connect()
        if connection.is_ehlo_or_helo_needed:
            await connection.ehlo()
        return connection


async def _is_clean(connection: aiosmtplib.SMTP) -> bool:
    """Whether the connection can be used again after a refusal."""
    try:
        await connection.rset()
    except (*_FAILURES, ValueError):
        connection.close()
        return False
    return True


def _tls(settings: Settings) -> SSLContext | None:
    if settings.smtp_security == "none":
        return None
    return create_default_context(cafile=str(settings.smtp_ca_file) if settings.smtp_ca_file else None)
