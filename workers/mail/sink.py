"""The sink: a mail server on this machine that keeps each mail as a file and sends nothing."""

import asyncio
import itertools
import os
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple

import mode
from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import SMTP, Envelope, Session

_MAX_MAIL_BYTES = 32 << 20
_DIGITS = 8


class Kept(NamedTuple):
    """One mail in the sink."""

    number: int
    to: str
    subject: str


class Sink(mode.Service):
    """Listens on `port`; mails become `<number>.eml` in `folder`, the newest with the highest number.

    They are personal data: only their owner can read them, and only the last `most` are kept.
    """

    def __init__(self, folder: Path, host: str, port: int, most: int = 5000) -> None:
        super().__init__()
        self._most = most
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._numbers = itertools.count(1 + max((int(file.stem) for file in _files(folder)), default=0))
        self._host = host
        self._port = port
        self._controller: UnthreadedController | None = None

    async def on_start(self) -> None:
        """Accept mails. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._controller = UnthreadedController(
            self, hostname=self._host, port=self._port, loop=loop, data_size_limit=_MAX_MAIL_BYTES,
            enable_SMTPUTF8=True,
        )  # fmt: skip
        self._controller.server = await self._controller._create_server()

    async def on_stop(self) -> None:
        """Accept no more."""
        if self._controller is not None and self._controller.server is not None:
            self._controller.server.close()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's)
        """Keep one mail."""
        content = envelope.original_content or b""
        number = next(self._numbers)
        draft = self._folder / f".{number:0{_DIGITS}d}"
        draft.write_bytes(content)
        os.replace(draft, self._folder / f"{draft.name[1:]}.eml")
        (self._folder / f"{number - self._most:0{_DIGITS}d}.eml").unlink(missing_ok=True)
        return "250 kept"


def kept(folder: Path, limit: int = 100) -> list[Kept]:
    """The newest mails."""
    newest = sorted(_files(folder), reverse=True)[:limit]
    return [_summary(file) for file in newest]


def read(folder: Path, number: str) -> EmailMessage | None:
    """One mail; None where there is none of that number."""
    if not (number.isascii() and number.isdigit() and len(number) <= _DIGITS):
        return None
    file = folder / f"{int(number):0{_DIGITS}d}.eml"
    return _parsed(file) if file.is_file() else None


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.glob("*.eml") if file.stem.isdigit()]


def _parsed(file: Path) -> EmailMessage:
    return message_from_bytes(file.read_bytes(), EmailMessage, policy=policy.default)


def _summary(file: Path) -> Kept:
    message = _parsed(file)
    return Kept(int(file.stem), str(message["To"]), str(message["Subject"]))
