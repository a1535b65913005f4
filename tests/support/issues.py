"""An issue to many people, and what the database says of it: for tests that let workers send it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg

from tests.support import people
from workers.issues import book
from workers.mail.mime import Content
from workers.settings import Settings
from workers.vault import keyring as keyrings

NAME = "first"
CONTENT = {"en": Content("News", "News\n\nhttps://unsubscribe.invalid/here\n", "<html lang='en'><p>News</p></html>")}


class Standing(NamedTuple):
    """How an issue stands: its state, its mails by state, and who is listed as unknown, by number of the contact."""

    state: str
    progress: dict[str, int]
    unknown: frozenset[int]


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """One connection."""
    connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
    try:
        yield connection
    finally:
        await connection.close()


def begin(settings: Settings, count: int) -> dict[str, int]:
    """So many subscribers, and an issue for them that is due; the number of each contact, by address."""

    async def run() -> dict[str, int]:
        async with database(settings) as connection:
            ring = keyrings.load(settings.keyring_dir)
            emails = [f"p{number}@example.org" for number in range(count)]
            contacts = await people.subscribe(connection, ring, emails)
            now = datetime.now(UTC)
            await book.schedule(connection, NAME, people.PURPOSE, CONTENT, now, now)
        return contacts

    return asyncio.run(run())


def standing(settings: Settings) -> Standing:
    """As `lethe newsletter show` tells it."""

    async def run() -> Standing:
        async with database(settings) as connection, connection.transaction(isolation="repeatable_read"):
            issue = await book.find(connection, NAME)
            progress = await book.progress(connection, issue.issue_id)
            unknown = await book.unknown(connection, issue.issue_id, 10_000)
        return Standing(issue.state, progress, frozenset(row["contact_id"] for row in unknown))

    return asyncio.run(run())
