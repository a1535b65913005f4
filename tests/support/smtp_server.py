"""A real SMTP server on loopback that can be slow, refuse, or drop the connection; it notes when each DATA began."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session, syntax

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
    """What the server does; each is asked with the recipient. Answers are whole lines, such as `450 later`."""

    at_rcpt: Callable[[str], str | None] = lambda _: None
    at_end: Callable[[str], str | None] = lambda _: None
    drop_before_answer: Callable[[str], bool] = lambda _: False
    delay_s: float = 0.0
    at_data: list[Callable[[str], None]] = field(default_factory=list)


class _Conversation(SMTP):
    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802  (aiosmtpd's)
        if self.envelope is not None:
            self.envelope.data_began = time.time()  # type: ignore[attr-defined]  # ours
        await super().smtp_DATA(arg)


class SmtpServer:
    """Mails are in `taken`, in the order of their last line."""

    def __init__(self, behaviour: Behaviour | None = None) -> None:
        self.behaviour = behaviour or Behaviour()
        self.port = ports.choose(1)[0]
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
def smtp_server(behaviour: Behaviour | None = None) -> Iterator[SmtpServer]:
    """Listens until the end of the block, in a thread of its own."""
    server = SmtpServer(behaviour)
    controller = Controller(server, hostname="127.0.0.1", port=server.port)
    controller.factory = lambda: _Conversation(server, enable_SMTPUTF8=True)  # type: ignore[method-assign]
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
