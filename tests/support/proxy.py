"""A TCP proxy in front of PostgreSQL that loses the answer to a COMMIT, as a failing network does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

Cut = Literal["before the commit arrives", "before its answer arrives"]


class CommitCutter:
    """Passes everything on. Once `arm`ed, the next COMMITs cost their clients the connection."""

    def __init__(self, host: str, port: int) -> None:
        self.cuts = 0
        self._server = (host, port)
        self._armed: list[Cut] = []

    def arm(self, *cuts: Cut) -> None:
        """One for each of the next COMMITs."""
        self._armed += cuts

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection."""
        from_server, to_server = await asyncio.open_connection(*self._server)
        answers = asyncio.create_task(_pass_on(from_server, writer))
        try:
            while data := await reader.read(65536):
                cut = self._armed.pop(0) if self._armed and b"COMMIT" in data else None
                if cut == "before its answer arrives":
                    answers.cancel()
                    await asyncio.wait([answers])
                    to_server.write(data)
                    await from_server.read(1)  # the answer has begun: the commit took effect
                if cut is not None:
                    self.cuts += 1
                    return
                to_server.write(data)
        except OSError:
            pass  # either side has gone
        finally:
            answers.cancel()
            for side in (writer, to_server):
                side.transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()


@contextlib.asynccontextmanager
async def commit_cutter(dsn: str) -> AsyncIterator[tuple[CommitCutter, str]]:
    """A proxy in front of the server of `dsn`, and the DSN that leads through it."""
    parts = urlsplit(dsn)
    cutter = CommitCutter(parts.hostname or "127.0.0.1", parts.port or 5432)
    server = await asyncio.start_server(cutter.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    through = parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}")
    async with server:
        yield cutter, urlunsplit(through)
