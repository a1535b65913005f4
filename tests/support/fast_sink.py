"""An SMTP server as fast as Python makes one, in a process of its own: it takes everything, keeps who got what and when
the DATA command came."""

import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from deploy.local import ports

_END = b"\r\n.\r\n"


class _Conversation(asyncio.Protocol):
    """Answers each command line; in DATA it looks for the lone dot."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("ab", buffering=0)
        self._buffer = b""
        self._in_data = False
        self._recipient = b""
        self._began = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink ESMTP\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self._log.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._take():
            pass

    def _take(self) -> bool:
        if self._in_data:
            end = self._buffer.find(_END)
            if end < 0:
                return False
            subject = self._buffer[:end].partition(b"\r\nSubject: ")[2].partition(b"\r\n")[0]
            self._buffer = self._buffer[end + len(_END) :]
            self._in_data = False
            self._log.write(b"%.6f %s %s\n" % (self._began, self._recipient, subject))
            self._transport.write(b"250 taken\r\n")
            return bool(self._buffer)
        line, found, self._buffer = self._buffer.partition(b"\r\n")
        if not found:
            self._buffer = line
            return False
        self._transport.write(self._answer(line))
        return bool(self._buffer)

    def _answer(self, line: bytes) -> bytes:
        command = line[:4].upper()
        if command == b"EHLO":
            return b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
        if command == b"RCPT":
            self._recipient = line.partition(b"<")[2].partition(b">")[0]
        if command == b"DATA":
            self._in_data, self._began = True, time.time()
            return b"354 go on\r\n"
        return b"221 bye\r\n" if command == b"QUIT" else b"250 ok\r\n"


class Arrival(NamedTuple):
    """One mail that was read to its end: `began` is when its DATA command was, in `time.time()`."""

    began: float
    recipient: str
    subject: str


class FastSink:
    """Where it listens, and who got a mail: noted before the answer, in the order of arrival."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self._log = log

    def arrivals(self) -> list[Arrival]:
        """One per mail."""
        lines = (line.split(" ", 2) for line in self._log.read_text().splitlines())
        return [Arrival(float(began), recipient, subject) for began, recipient, subject in lines]

    def recipients(self) -> list[str]:
        """One per mail."""
        return [one.recipient for one in self.arrivals()]


def _serve(port: int, log: Path, ready: "multiprocessing.synchronize.Event") -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Conversation(log), "127.0.0.1", port)
        ready.set()
        await server.serve_forever()

    asyncio.run(serve())


@contextmanager
def fast_sink() -> Iterator[FastSink]:
    """Listens until the end of the block."""
    context = multiprocessing.get_context("spawn")
    port, ready = ports.choose(1)[0], context.Event()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "recipients"
        log.touch()
        process = context.Process(target=_serve, args=(port, log, ready), daemon=True)
        process.start()
        try:
            assert ready.wait(30), "the sink did not start"
            yield FastSink(port, log)
        finally:
            process.kill()
            process.join()
