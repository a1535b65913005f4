"""`kill -9` in the middle of an issue: nobody gets it twice, nobody is forgotten but those listed as unknown."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from tests.support import lethe, people
from tests.support.endpoints import Endpoints
from tests.support.fast_sink import fast_sink
from tests.support.waiting import wait_until
from tests.support.worker_process import worker_process
from workers.issues import book
from workers.mail.mime import Content
from workers.settings import Settings
from workers.vault import keyring as keyrings

CONTENT = {"en": Content("News", "News\n\nhttps://unsubscribe.invalid/here\n", "<html lang='en'><p>News</p></html>")}


async def begin(settings: Settings, count: int) -> None:
    """So many subscribers, and an issue for them that is due."""
    connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
    ring = keyrings.load(settings.keyring_dir)
    await people.subscribe(connection, ring, [f"p{number}@example.org" for number in range(count)])
    now = datetime.now(UTC)
    await book.schedule(connection, "first", people.PURPOSE, CONTENT, now, now)
    await connection.close()


async def states(settings: Settings) -> tuple[str, dict[str, int], set[int]]:
    """The issue's state, its mails by state, and the contacts of those that are unknown."""
    connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
    issue = await book.find(connection, "first")
    progress = await book.progress(connection, issue.issue_id)
    unknown = {row["contact_id"] for row in await book.unknown(connection, issue.issue_id, 10_000)}
    await connection.close()
    return issue.state, progress, unknown


async def addresses(settings: Settings, contact_ids: set[int]) -> set[str]:
    """The addresses of these contacts."""
    connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
    ring = keyrings.load(settings.keyring_dir)
    hashes = {
        row["email_hash"].bytes
        for row in await connection.fetch("select email_hash from contacts where contact_id = any($1)", contact_ids)
    }
    count = await connection.fetchval("select count(*) from contacts")
    await connection.close()
    named = (f"p{number}@example.org" for number in range(count))
    return {email for email in named if ring.lookup_hash("email", email.encode()) in hashes}


COUNTS = [
    pytest.param(2_000, id="2000"),
    pytest.param(20_000, id="20000", marks=pytest.mark.torture),
]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("crash_at", ["mail.unknown:5", "mail.released:9", "mail.answered:700", "mail.claimed:11"])
def test_nobody_twice_and_nobody_forgotten(
    stack: Endpoints, prefix: str, database: str, tmp_path: Path, count: int, crash_at: str
) -> None:
    with fast_sink() as sink:
        settings = lethe.prepare(
            stack, prefix, database, tmp_path, smtp_port=sink.port, mails_per_s=100_000, mails_per_s_per_domain=100_000,
            dkim_dir=tmp_path / "none", mail_claim_s=5,
        )  # fmt: skip
        asyncio.run(begin(settings, count))
        with worker_process(settings, ["mailer"], crash_at=crash_at, ready=False) as doomed:
            assert doomed.wait(60) == -9
        assert 0 < len(sink.recipients()) < count or "claimed" in crash_at
        with worker_process(settings, ["mailer"]):
            wait_until(
                lambda: asyncio.run(states(settings))[0] == "sent", 100.0, lambda: str(asyncio.run(states(settings)))
            )
        _, progress, unknown = asyncio.run(states(settings))
        received = Counter(sink.recipients())
    everybody = {f"p{number}@example.org" for number in range(count)}
    assert set(received.values()) == {1}, "nobody twice"
    missing = everybody - received.keys()
    assert missing <= asyncio.run(addresses(settings, unknown)), "who is missing is listed"
    assert progress.get("unknown", 0) == len(unknown)
    assert progress["sent"] + len(unknown) == count
    assert set(progress) <= {"sent", "unknown"}
