"""The worker `mailer` ended at its worst moments: what must be said is said, an orderly end leaves no doubt."""

import asyncio
import signal
from collections import defaultdict
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path

import asyncpg
import pytest

from tests.fault.conftest import labels
from tests.support import lethe, people
from tests.support.endpoints import Endpoints
from tests.support.smtp_server import Behaviour, SmtpServer, smtp_server
from tests.support.waiting import wait_until
from tests.support.worker_process import worker_process
from workers.issues import book
from workers.mail.desk import MailDesk, Post
from workers.mail.mime import Content
from workers.settings import Settings
from workers.vault import keyring as keyrings
from workers.vault.subjects import SubjectVault

EMAILS = [f"p{number}@example.org" for number in range(120)]
MANY = [f"p{number}@example.org" for number in range(400)]
"""More than a sender has in hand at once."""
CONTENT = {"en": Content("News", "News\n\nhttps://unsubscribe.invalid/here\n", "<html lang='en'><p>News</p></html>")}


def prepare(stack: Endpoints, prefix: str, database: str, tmp_path: Path, server: SmtpServer) -> Settings:
    return lethe.prepare(
        stack, prefix, database, tmp_path, smtp_port=server.port, dkim_dir=tmp_path / "none", mail_claim_s=3,
        mail_retry_initial_s=0.1, smtp_timeout_s=10,
    )  # fmt: skip


async def post(settings: Settings) -> None:
    """A mail that must be said to each."""
    connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
    ring = keyrings.load(settings.keyring_dir)
    hashes = [ring.lookup_hash("email", email.encode()) for email in EMAILS]
    async with connection.transaction():
        subjects = await SubjectVault(ring).hold(connection, hashes)
        posts = [
            Post(subjects[hash_], email, "en", {"reference": "Q-1", "date": "1 March 2026"})
            for hash_, email in zip(hashes, EMAILS, strict=True)
        ]
        now = datetime.now(UTC)
        posted = await MailDesk().post_many(connection, posts, template="contact_acknowledged", now=now)
    assert None not in posted
    await connection.close()


async def begin_issue(settings: Settings) -> None:
    connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
    await people.subscribe(connection, keyrings.load(settings.keyring_dir), MANY)
    now = datetime.now(UTC)
    await book.schedule(connection, "first", people.PURPOSE, CONTENT, now, now)
    await connection.close()


def states(settings: Settings) -> dict[str, int]:
    async def count() -> dict[str, int]:
        connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
        try:
            rows = await connection.fetch("select state, count(*) as mails from mails group by state")
            return {row["state"]: row["mails"] for row in rows}
        finally:
            await connection.close()

    return asyncio.run(count())


def names_by_recipient(server: SmtpServer) -> dict[str, list[str]]:
    names = defaultdict(list)
    for one in server.taken:
        names[one.recipients[0]].append(message_from_bytes(one.content)["Message-ID"])
    return names


TURNS = {"mail.claimed": 2, "mail.unknown": 2, "mail.released": 1, "mail.answered": 30}


@pytest.mark.parametrize("label", labels(*TURNS))
def test_what_must_be_said_is_said_again_under_the_same_name(
    stack: Endpoints, prefix: str, database: str, tmp_path: Path, label: str
) -> None:
    with smtp_server() as server:
        settings = prepare(stack, prefix, database, tmp_path, server)
        asyncio.run(post(settings))
        with worker_process(settings, ["mailer"], crash_at=f"{label}:{TURNS[label]}", ready=False) as doomed:
            assert doomed.wait() == -signal.SIGKILL, doomed.log[-2000:]
        before = len(server.taken)
        assert before < len(EMAILS)
        with worker_process(settings, ["mailer"]):
            wait_until(lambda: states(settings) == {"sent": len(EMAILS)}, 60, lambda: str(states(settings)))
        names = names_by_recipient(server)
    assert sorted(names) == sorted(EMAILS), "nobody is forgotten"
    assert {len(set(one)) for one in names.values()} == {1}, "the same mail, whoever gets it twice"
    repeated = sum(len(one) > 1 for one in names.values())
    if label == "mail.answered":
        assert repeated > 0, "answered, and killed before that was written down"


def test_an_orderly_end_leaves_no_mail_in_doubt(stack: Endpoints, prefix: str, database: str, tmp_path: Path) -> None:
    with smtp_server(Behaviour(delay_s=0.1)) as server:
        settings = prepare(stack, prefix, database, tmp_path, server)
        asyncio.run(begin_issue(settings))
        with worker_process(settings, ["mailer"]) as ended:
            wait_until(lambda: len(server.taken) > 10, 30, "some mails arrive")
            assert ended.stop() == 0
        found, taken = states(settings), len(server.taken)
        assert set(found) <= {"sent", "intent"}, found
        assert found["sent"] == taken
        assert taken < len(MANY), "it ended in the middle"
        with worker_process(settings, ["mailer"]):
            wait_until(lambda: states(settings) == {"sent": len(MANY)}, 60, lambda: str(states(settings)))
    assert sorted(server.recipients()) == sorted(MANY), "each once"
