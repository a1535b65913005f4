"""A real SMTP server on loopback that can be slow, refuse, or drop the connection; it notes when each DATA began."""

import asyncio
import datetime
import ipaddress
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session, syntax
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deploy.local import ports


@dataclass(frozen=True)
class Taken:
    """One mail that the server has read to its end. Times are of `time.time()`."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    data_began: float
    answered: bool


@dataclass
class Behaviour:
    """What the server does; each is asked with the recipient. Answers are whole lines, such as `450 later`.

    `drop_before_answer` and `drop_after_answer` are about the answer to a mail's content, `drop_at_data` about the
    answer to the DATA command. `hang_up_after` is how many mails a connection may bring.
    """

    at_rcpt: Callable[[str], str | None] = lambda _: None
    at_data: Callable[[str], str | None] = lambda _: None
    at_end: Callable[[str], str | None] = lambda _: None
    drop_at_data: Callable[[str], bool] = lambda _: False
    drop_before_answer: Callable[[str], bool] = lambda _: False
    drop_after_answer: Callable[[str], bool] = lambda _: False
    delay_s: float = 0.0
    delay_at_rcpt_s: float = 0.0
    hang_up_after: int | None = None
    smtputf8: bool = True


@dataclass(frozen=True)
class Protection:
    """How the server is spoken to: `tls` from the first byte on or after STARTTLS, with a certificate for 127.0.0.1."""

    security: Literal["starttls", "tls"]
    certificate: Path
    key: Path
    login: tuple[str, str] | None = None

    def context(self) -> ssl.SSLContext:
        """For the server."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.certificate, self.key)
        return made


class _Conversation(SMTP):
    """Asks the behaviour where aiosmtpd has no hook."""

    brought = 0

    def __init__(self, handler: "SmtpServer", **options: Any) -> None:
        super().__init__(handler, **options)
        self._behaviour = handler.behaviour

    @syntax("MAIL FROM: <address>")
    async def smtp_MAIL(self, arg: str) -> None:  # noqa: N802  (aiosmtpd's)
        if self.brought == self._behaviour.hang_up_after:
            await self.push("421 4.7.0 too many mails on this connection")
            self.transport.close()
            return
        await super().smtp_MAIL(arg)

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802  (aiosmtpd's)
        envelope = self.envelope
        if envelope is None or not envelope.rcpt_tos:
            await super().smtp_DATA(arg)
            return
        envelope.data_began = time.time()  # type: ignore[attr-defined]  # ours
        recipient = envelope.rcpt_tos[0]
        if (refusal := self._behaviour.at_data(recipient)) is not None:
            await self.push(refusal)
        elif self._behaviour.drop_at_data(recipient):
            self.transport.abort()
        else:
            self.brought += 1
            await super().smtp_DATA(arg)
            if self._behaviour.drop_after_answer(recipient):
                self.transport.close()


class SmtpServer:
    """Mails are in `taken`, in the order of their last line."""

    def __init__(self, behaviour: Behaviour | None = None) -> None:
        self.behaviour = behaviour or Behaviour()
        self.port = ports.choose(1)[0]
        self.connections = 0
        self.needs_login = False
        self._taken: list[Taken] = []
        self._lock = threading.Lock()

    @property
    def taken(self) -> list[Taken]:
        """Everything read so far."""
        with self._lock:
            return list(self._taken)

    def recipients(self) -> list[str]:
        """Of everything read so far, one a mail."""
        return [one.recipients[0] for one in self.taken]

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse or accept a recipient."""
        if self.needs_login and not session.authenticated:
            return "530 5.7.0 log in first"
        await asyncio.sleep(self.behaviour.delay_at_rcpt_s)
        refusal = self.behaviour.at_rcpt(address)
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail, or do not."""
        recipient = envelope.rcpt_tos[0]
        await asyncio.sleep(self.behaviour.delay_s)
        refusal = self.behaviour.at_end(recipient)
        if refusal is not None:
            return refusal
        dropped = self.behaviour.drop_before_answer(recipient)
        began: float = envelope.data_began  # type: ignore[attr-defined]  # noted above
        taken = Taken(
            envelope.mail_from or "", tuple(envelope.rcpt_tos), envelope.original_content or b"", began, not dropped
        )
        with self._lock:
            self._taken.append(taken)
        if dropped:
            server.transport.abort()
        return "250 taken"


@contextmanager
def smtp_server(behaviour: Behaviour | None = None, protection: Protection | None = None) -> Iterator[SmtpServer]:
    """Listens until the end of the block, in a thread of its own."""
    server = SmtpServer(behaviour)
    options: dict[str, Any] = {"enable_SMTPUTF8": server.behaviour.smtputf8}
    context = protection.context() if protection is not None else None
    if protection is not None and protection.login is not None:
        server.needs_login = True
        options |= {"authenticator": _only(protection.login), "auth_require_tls": protection.security == "starttls"}
    if protection is not None and protection.security == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
        context = None

    conversations: list[SMTP] = []

    def conversation() -> SMTP:
        server.connections += 1
        conversations.append(_Conversation(server, loop=loop, **options))
        return conversations[-1]

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        listening = asyncio.run_coroutine_threadsafe(
            loop.create_server(conversation, "127.0.0.1", server.port, ssl=context), loop
        ).result(10)
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(_end(listening, conversations), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _end(listening: asyncio.Server, conversations: Iterable[SMTP]) -> None:
    listening.close()
    for one in conversations:
        if one.transport is not None:
            one.transport.abort()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0.02)  # for transports to close their sockets


def certificate_for(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    files = folder / "server.pem", folder / "server.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def _only(login: tuple[str, str]) -> Callable[..., AuthResult]:
    def check(server: object, session: object, envelope: object, mechanism: str, data: LoginPassword) -> AuthResult:
        is_known = (data.login.decode(), data.password.decode()) == login
        return AuthResult(success=is_known, handled=is_known)

    return check
