"""SMTP connections, kept open and lent out; a conversation stops before DATA and asks whether it may go on."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from ssl import SSLContext, create_default_context
from typing import NamedTuple

import aiosmtplib

from workers.settings import Settings

_FAILURES = (aiosmtplib.SMTPException, OSError, asyncio.TimeoutError, EOFError, ValueError)
_GOODBYE_S = 2.0
_GO_ON, _SERVICE_CLOSES = 354, 421


class Answer(StrEnum):
    """What is known about one mail after the conversation."""

    ACCEPTED = "accepted"
    LATER = "later"
    """Refused for now (4xx), or its content was never sent: it did not arrive."""
    REFUSED = "refused"
    """Refused for good (5xx)."""
    UNKNOWN = "unknown"
    """The content was sent and its answer did not arrive or says nothing (RFC 5321, 6.1; RFC 1047)."""
    NOT_BEGUN = "not_begun"
    """The gate was closed before DATA."""


class Outcome(NamedTuple):
    """`code` is the server's, None where it gave none. No text of the server: it may repeat the address."""

    answer: Answer
    code: int | None = None


class Parcel(NamedTuple):
    """One mail to offer.

    `may_begin` is asked at the last moment: no DATA command is sent once it says no. `has_begun` is told when the
    server has answered DATA.
    """

    sender: str
    recipient: str
    message: bytes
    may_begin: Callable[[], bool] = lambda: True
    has_begun: Callable[[], None] = lambda: None


class Connections:
    """At most `smtp_connections` at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._idle: list[aiosmtplib.SMTP] = []
        self._free = asyncio.Semaphore(settings.smtp_connections)
        self._tls = _tls(settings)

    async def send(self, parcel: Parcel) -> Outcome:
        """Offer one mail. Never raises for what the mail server does."""
        async with self._free:
            if not parcel.may_begin():  # it waited for a connection too long
                return Outcome(Answer.NOT_BEGUN)
            if (kept := self._kept()) is not None and (outcome := await self._offer(kept, parcel, kept_open=True)):
                return outcome
            connection = await self.connect()
            if isinstance(connection, Outcome):
                return connection
            return await self._offer(connection, parcel) or Outcome(Answer.LATER)

    async def connect(self) -> aiosmtplib.SMTP | Outcome:
        """Greeted, encrypted and logged in as the settings say; an Outcome where the server will not.

        A refusal here is a fault of the set-up and not of any mail, so it is never for good.
        """
        settings = self._settings
        connection = aiosmtplib.SMTP(
            hostname=settings.smtp_host, port=settings.smtp_port, timeout=settings.smtp_timeout_s,
            use_tls=settings.smtp_security == "tls", start_tls=settings.smtp_security == "starttls",
            tls_context=self._tls, username=settings.smtp_username,
            password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
        )  # fmt: skip
        try:
            await connection.connect()
            if connection.is_ehlo_or_helo_needed:
                await connection.ehlo()
        except _FAILURES as error:
            connection.close()
            return Outcome(Answer.LATER, _code(error))
        except BaseException:
            connection.close()
            raise
        return connection

    async def close(self) -> None:
        """Say goodbye on idle connections."""
        while self._idle:
            connection = self._idle.pop()
            with suppress(*_FAILURES):
                await asyncio.wait_for(connection.quit(), _GOODBYE_S)
            connection.close()

    def _kept(self) -> aiosmtplib.SMTP | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_connected:
                return connection
        return None

    async def _offer(self, connection: aiosmtplib.SMTP, parcel: Parcel, kept_open: bool = False) -> Outcome | None:
        """None where the server had given up a connection that was kept open: the mail was not offered to it."""
        if not parcel.recipient.isascii() and not connection.supports_extension("smtputf8"):
            self._idle.append(connection)
            return Outcome(Answer.REFUSED)
        try:
            refusal = await self._address(connection, parcel)
            if refusal is None and parcel.may_begin():
                outcome = await self._deliver(connection, parcel)
            else:
                outcome = refusal or Outcome(Answer.NOT_BEGUN)
                await connection.rset()
        except _FAILURES as error:
            connection.close()
            code = _code(error)
            return None if kept_open and code in (None, _SERVICE_CLOSES) else Outcome(Answer.LATER, code)
        except BaseException:
            connection.close()
            raise
        if outcome.answer is not Answer.UNKNOWN and connection.is_connected:
            self._idle.append(connection)
        else:
            connection.close()
        return outcome

    async def _address(self, connection: aiosmtplib.SMTP, parcel: Parcel) -> Outcome | None:
        """Name sender and recipient; returns the refusal of the recipient.

        Raises SMTPSenderRefused: the sender is the same for every mail, its refusal is a fault of the set-up.
        """
        if parcel.recipient.isascii():
            await connection.mail(parcel.sender)
        else:
            await connection.mail(parcel.sender, options=["SMTPUTF8"], encoding="utf-8")
        try:
            await connection.rcpt(parcel.recipient, encoding="ascii" if parcel.recipient.isascii() else "utf-8")
        except aiosmtplib.SMTPRecipientRefused as error:
            if error.code == _SERVICE_CLOSES:
                raise
            return _refused(error.code)
        return None

    async def _deliver(self, connection: aiosmtplib.SMTP, parcel: Parcel) -> Outcome:
        """DATA and the content. Until the content is written it is certain that the mail did not arrive."""
        timeout_s = self._settings.smtp_timeout_s
        answer = await connection.execute_command(b"DATA", timeout=timeout_s)
        parcel.has_begun()
        if answer.code != _GO_ON:
            await connection.rset()
            return _refused(answer.code)
        if (protocol := connection.protocol) is None:
            raise aiosmtplib.SMTPServerDisconnected("connection lost")
        protocol.write(_dotted(parcel.message))
        try:
            answer = await protocol.read_response(timeout=timeout_s)
        except _FAILURES:
            return Outcome(Answer.UNKNOWN)
        if 200 <= answer.code < 300:
            return Outcome(Answer.ACCEPTED, answer.code)
        return _refused(answer.code) if 400 <= answer.code < 600 else Outcome(Answer.UNKNOWN)


def _refused(code: int) -> Outcome:
    return Outcome(Answer.REFUSED if 500 <= code < 600 else Answer.LATER, code if code > 0 else None)


def _code(error: BaseException) -> int | None:
    code = error.code if isinstance(error, aiosmtplib.SMTPResponseException) else -1
    return code if code > 0 else None


def _dotted(message: bytes) -> bytes:
    """As content of DATA (RFC 5321, 4.5.2). The message has CRLF line ends and begins with a header."""
    return message.replace(b"\r\n.", b"\r\n..") + b".\r\n"


def _tls(settings: Settings) -> SSLContext | None:
    if settings.smtp_security == "none":
        return None
    return create_default_context(cafile=str(settings.smtp_ca_file) if settings.smtp_ca_file else None)
