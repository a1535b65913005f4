"""A loop around aiosmtplib in one file: plain addresses in one table, a ledger, a look at the consent, a personal link,
both DKIM signatures. It holds no lock, so a withdrawal may be overtaken; nothing is sealed; a fault ends it.

The message is built and signed by Lethe's functions: what is compared is the rest.
"""

import asyncio
import gc
import secrets
from datetime import UTC, datetime

import aiosmtplib
import asyncpg
import uvloop

from bench import mail_task
from bench.contenders.common import connect, queries
from bench.mail_task import CONTENT, MailTask
from workers.mail import dkim, mime
from workers.mail.composer import UNSUBSCRIBE_URL
from workers.mail.dkim import Signer
from workers.mail.mime import Content, Envelope

_SQL = queries("bare_mailer")
_BATCH = 150
_DOMAIN = "shop.example"


class Loop:
    """Batches, each claimed, marked, sent over all connections, marked again."""

    def __init__(self, pool: asyncpg.Pool, signer: Signer, task: MailTask) -> None:
        self._pool = pool
        self._signer = signer
        self._port = task.smtp_port
        self._connections = task.connections
        self._queue: asyncio.Queue[tuple[str, bytes, asyncio.Future[None]]] = asyncio.Queue()

    async def run(self) -> None:
        """Until the ledger is empty. The next batch is built while this one is sent."""
        senders = [asyncio.create_task(self._send()) for _ in range(self._connections)]
        reached, under_way = 0, set[asyncio.Task[None]]()
        while rows := await self._pool.fetch(_SQL["claim"], reached, _BATCH // 3):
            reached = max(row["mail_id"] for row in rows)
            under_way.add(asyncio.create_task(self._bring(rows)))
            if len(under_way) == 3:
                _, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*under_way)
        for sender in senders:
            sender.cancel()

    async def _bring(self, rows: list[asyncpg.Record]) -> None:
        ids = [row["contact_id"] for row in rows]
        agreed = {row["contact_id"] for row in await self._pool.fetch(_SQL["consented"], ids)}
        messages = []
        for row in rows:
            if row["contact_id"] in agreed:
                messages.append((row["email"], self._message(row["mail_id"], row["email"])))
                await asyncio.sleep(0)
        mail_ids = [row["mail_id"] for row in rows if row["contact_id"] in agreed]
        await self._pool.execute(_SQL["mark"], mail_ids, "unknown")
        loop = asyncio.get_running_loop()
        answers = [loop.create_future() for _ in messages]
        for (email, message), answer in zip(messages, answers, strict=True):
            self._queue.put_nowait((email, message, answer))
        await asyncio.gather(*answers)
        await self._pool.execute(_SQL["mark"], mail_ids, "sent")

    def _message(self, mail_id: int, email: str) -> bytes:
        token = secrets.token_urlsafe(32)
        url = f"https://{_DOMAIN}/u/{token}"
        content = Content(
            CONTENT.subject, CONTENT.text.replace(UNSUBSCRIBE_URL, url), CONTENT.html.replace(UNSUBSCRIBE_URL, url)
        )
        envelope = Envelope(
            f"news@{_DOMAIN}", "Example Shop", email, f"{mail_id}.{token[:16]}@{_DOMAIN}", datetime.now(UTC),
            (url, f"unsubscribe+{token}@{_DOMAIN}"), f"newsletter.{_DOMAIN}", f"privacy@{_DOMAIN}", "auto-generated",
        )  # fmt: skip
        return mime.message(content, envelope, self._signer)

    async def _send(self) -> None:
        connection = aiosmtplib.SMTP(hostname="127.0.0.1", port=self._port, start_tls=False)
        await connection.connect()
        await connection.ehlo()
        while True:
            email, message, answer = await self._queue.get()
            await connection.mail(f"bounces@{_DOMAIN}")
            await connection.rcpt(email)
            await connection.data(message)
            answer.set_result(None)


async def main() -> None:
    """Sends everything once."""
    task = mail_task.read()
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)  # as Lethe's workers do
    pool = await connect(task.dsn)
    await Loop(pool, dkim.load(task.dkim_dir, _DOMAIN, "bench"), task).run()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
