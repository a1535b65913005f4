"""A mail server that costs as little as one in Python can: it takes every mail and notes for whom and when.

`python -m bench.mail_sink PORT COUNT FILE` prints `ready`, and when COUNT mails have come writes FILE: times (ns) of
the first and of the last mail, then a recipient a line. aiosmtpd would be slower than what is measured.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

_END = b"\r\n.\r\n"
_EHLO = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"


_SHARES = 50
_AFTER_S = 0.5


class Counter:
    """What was taken so far; `full` once that is all, with a while for mails that should not come."""

    def __init__(self, count: int, file: Path) -> None:
        self.full = asyncio.Event()
        self._recipients: list[bytes] = []
        self._count = count
        self._file = file
        self._first_ns = 0

    def take(self, recipient: bytes) -> None:
        """One mail has arrived."""
        self._recipients.append(recipient)
        taken = len(self._recipients)
        if taken == 1:
            self._first_ns = time.time_ns()
        if taken == self._count:
            self._last_ns = time.time_ns()
            self.full.set()
        if taken % max(1, self._count // _SHARES) == 0:
            self._write(".count", str(taken).encode())

    def write(self) -> None:
        """All of it."""
        self._write(".mails", b"\n".join([b"%d %d" % (self._first_ns, self._last_ns), *self._recipients]))

    def _write(self, suffix: str, content: bytes) -> None:
        draft = self._file.with_suffix(".draft")
        draft.write_bytes(content)
        draft.replace(self._file.with_suffix(suffix))


class _Conversation(asyncio.Protocol):
    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._buffer = b""
        self._in_data = False
        self._recipient = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data
        answers = b""
        while data:
            end = data.find(_END if self._in_data else b"\r\n")
            if end < 0:
                break
            if self._in_data:
                self._counter.take(self._recipient)
                data, self._in_data = data[end + len(_END) :], False
                answers += b"250 taken\r\n"
            else:
                answers += self._answer(data[:end])
                data = data[end + 2 :]
        self._buffer = data
        if answers:
            self._transport.write(answers)

    def _answer(self, line: bytes) -> bytes:
        command = line[:4].upper()
        if command == b"RCPT":
            self._recipient = line[line.find(b"<") + 1 : line.find(b">")]
        elif command == b"DATA":
            self._in_data = True
            return b"354 go on\r\n"
        elif command == b"EHLO":
            return _EHLO
        return b"250 ok\r\n"


async def _serve(port: int, count: int, file: Path) -> None:
    counter = Counter(count, file)
    await asyncio.get_running_loop().create_server(lambda: _Conversation(counter), "127.0.0.1", port)
    print("ready", flush=True)
    await counter.full.wait()
    await asyncio.sleep(_AFTER_S)
    counter.write()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
