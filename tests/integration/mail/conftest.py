"""A post office: the sender of the worker `mailer` in this process, on a real PostgreSQL and a real SMTP server."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from tests.support.people import PURPOSE
from tests.support.smtp_server import SmtpServer
from workers.clock import system_clock
from workers.db import migrate
from workers.engine import database as pools
from workers.engine.exit import Exit
from workers.mail import dkim
from workers.mail.composer import Composer
from workers.mail.desk import MailDesk
from workers.mail.ledger import Claimed, Ledger
from workers.mail.mime import Content
from workers.mail.sender import Sender
from workers.mail.smtp import Connections
from workers.metrics import Metrics
from workers.settings import Settings
from workers.vault import keyring as keyrings
from workers.vault.subjects import SubjectVault

CONTENT = Content("The news", "News.\n\nhttps://unsubscribe.invalid/here\n", "<html lang='en'><p>News</p></html>")


class Office:
    """Posts and sends; `rows` tells what the ledger says."""

    def __init__(self, pool: asyncpg.Pool, settings: Settings) -> None:
        self.pool = pool
        self.settings = settings
        self.keyring = keyrings.load(settings.keyring_dir)
        self.vault = SubjectVault(self.keyring)
        self.signer = dkim.load(settings.dkim_dir, settings.dkim_domain, settings.dkim_selector)
        self.ledger = Ledger(pool, uuid.uuid4().hex, 60.0)
        self.metrics = Metrics(CollectorRegistry())
        composer = Composer(settings, self.keyring, self.signer, lambda issue, language: CONTENT)
        self.sender = Sender(
            pool, self.ledger, composer, Connections(settings), self.vault, tuple, settings,
            self.metrics, system_clock, Exit(),
        )  # fmt: skip

    async def post(self, to: str = "ada@example.org", template: str = "contact_acknowledged", **more: Any) -> int:
        """A mail that must be said, unless `more` says otherwise."""
        values = {"reference": "Q-1", "date": "1 March 2026", **more.pop("values", {})}
        async with self.pool.acquire() as connection, connection.transaction():
            hash_ = self.keyring.lookup_hash("email", to.encode())
            subject = (await self.vault.hold(connection, [hash_]))[hash_]
            mail_id = await MailDesk().post(
                connection, subject, to=to, template=template, language="en", values=values, now=system_clock(),
                **more,
            )  # fmt: skip
        assert mail_id is not None
        return mail_id

    async def add_issue(self, issue_id: int = 1) -> None:
        """An issue, and a mail of it for each contact."""
        await self.pool.execute(
            "insert into issues (issue_id, name, purpose, state, content, send_at, prepared, created_at, changed_at) "
            "overriding system value values ($1, $2, $3, 'sending', '{}', now(), true, now(), now()) "
            "on conflict do nothing",
            issue_id, f"issue-{issue_id}", PURPOSE,
        )  # fmt: skip
        await self.pool.execute(
            "insert into mails (issue_id, contact_id, subject_id, template, language, class, purpose, "
            "next_attempt_at, created_at, changed_at) "
            "select $1, contact_id, subject_id, 'issue', language, 'marketing', $2, now(), now(), now() "
            "from contacts order by contact_id",
            issue_id, PURPOSE,
        )  # fmt: skip

    async def claim(self, issue_id: int | None = None, limit: int = 50) -> list[Claimed]:
        """What is due."""
        if issue_id is None:
            return await self.ledger.claim(limit, system_clock())
        return await self.ledger.claim_of_issue(issue_id, 0, limit, system_clock())

    async def send_all(self, issue_id: int | None = None) -> None:
        """Until nothing is due any more."""
        while claimed := await self.claim(issue_id):
            await self.sender.send(claimed)

    async def settle(self, issue_id: int | None = None) -> None:
        """Until nothing is due any more, now or later."""
        async with asyncio.timeout(30):
            while "intent" in await self.states():
                await self.send_all(issue_id)
                await asyncio.sleep(0.02)

    async def states(self) -> list[str]:
        """Of every mail, in their order."""
        return [row["state"] for row in await self.pool.fetch("select state from mails order by mail_id")]

    async def row(self, mail_id: int) -> asyncpg.Record:
        """One row of the ledger."""
        return await self.pool.fetchrow("select * from mails where mail_id = $1", mail_id)


@asynccontextmanager
async def office_for(dsn: str, folder: Path, server: SmtpServer, **chosen: Any) -> AsyncIterator[Office]:
    """An office on an empty database."""
    quick = {"retry_initial_s": 0.01, "retry_max_s": 0.05, "mail_retry_initial_s": 0.001, "smtp_timeout_s": 5}
    settings = Settings.model_validate(
        {
            **quick, "database_dsn": dsn, "keyring_dir": folder / "keyring", "dkim_dir": folder / "dkim",
            "smtp_port": server.port, **chosen,
        }
    )  # fmt: skip
    connection = await asyncpg.connect(dsn)
    await migrate.apply(connection)
    await connection.close()
    keyrings.create(settings.keyring_dir)
    dkim.create(settings.dkim_dir)
    pool = await pools.connect(settings, max_size=8)
    office = Office(pool, settings)
    try:
        yield office
    finally:
        await office.sender.on_stop()
        await pool.close()


OfficeFor = Callable[..., Any]


@pytest.fixture
def opened(database: str, tmp_path: Path) -> OfficeFor:
    """`async with opened(server, **settings) as office`."""
    return lambda server, **chosen: office_for(database, tmp_path, server, **chosen)
