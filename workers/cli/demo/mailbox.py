"""Everybody's mailbox: the mails that the sink kept, in the order in which they came."""

import asyncio
import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import NamedTuple

from workers.errors import LetheError

_POLL_S = 0.05
_PATIENCE_S = 60.0
_HEADERS = BytesHeaderParser()


class Arrived(NamedTuple):
    """One mail. `is_issue`: it belongs to a mailing list."""

    to: str
    is_issue: bool
    file: Path

    def opened(self) -> EmailMessage:
        """As its reader's mail program has it."""
        return message_from_bytes(self.file.read_bytes(), EmailMessage, policy=policy.default)


class Mailbox:
    """What has come since the last look."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: set[str] = set()

    def look(self) -> list[Arrived]:
        """Everything that is new."""
        new = sorted(file for file in self.folder.glob("*.eml") if file.name not in self._seen)
        self._seen |= {file.name for file in new}
        return [_arrived(file) for file in new]

    def empty(self, to: str) -> int:
        """Throw away all mails to this address, as its reader would; returns how many there were."""
        theirs = [file for file in self.folder.glob("*.eml") if _arrived(file).to == to]
        for file in theirs:
            file.unlink()
        return len(theirs)

    async def wait_for(self, to: str) -> Arrived:
        """The first new mail to this address; others that came before it are passed over. Raises LetheError."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline_s:
            for one in self.look():
                if one.to == to:
                    return one
            await asyncio.sleep(_POLL_S)
        raise LetheError(f"no mail came within {_PATIENCE_S:.0f} s: the log of the worker people says why")


def _arrived(file: Path) -> Arrived:
    headers = _HEADERS.parsebytes(file.read_bytes())
    return Arrived(str(headers["To"]), "List-Id" in headers, file)
