"""The book of issues: scheduling, states, recipients."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg
import orjson

from workers.db import sql
from workers.engine.database import Connection
from workers.errors import UsageError
from workers.mail.mime import Content

_QUERIES = sql.queries("issues")
_SLICE = 5000
_CHANGES = {
    "paused": ("sending", "scheduled"),
    "sending": ("paused",),
    "cancelled": ("scheduled", "sending", "paused"),
}


class Issue(NamedTuple):
    """One issue as it stands."""

    issue_id: int
    name: str
    purpose: str
    state: str
    send_at: datetime
    prepared: bool


async def schedule(
    connection: Connection, name: str, purpose: str, contents: dict[str, Content], send_at: datetime, now: datetime
) -> int:
    """Keep the issue's content and its time; returns its number. Raises UsageError unless it is new or waits."""
    content = orjson.dumps({language: one._asdict() for language, one in contents.items()}).decode()
    issue_id: int | None = await connection.fetchval(_QUERIES["schedule"], name, purpose, content, send_at, now)
    if issue_id is None:
        issue_id = await connection.fetchval(_QUERIES["reschedule"], name, purpose, content, send_at, now)
    if issue_id is None:
        issue = await find(connection, name)
        raise UsageError(f"the issue {name} is {issue.state} already; give the next one a name of its own")
    return issue_id


async def change_state(connection: Connection, name: str, state: str, now: datetime) -> str:
    """Pause, resume (`sending`) or cancel; returns the state, `scheduled` where an issue resumed before its time.

    No mail of an issue that was paused or cancelled begins after the commit; for that it waits a few seconds at most
    for those that are just about to. Raises UsageError where the state does not allow it.
    """
    async with connection.transaction():
        await connection.execute(_QUERIES["lock_sending"], name)
        changed: str | None = await connection.fetchval(_QUERIES["change_state"], name, state, _CHANGES[state], now)
    if changed is None:
        issue = await find(connection, name)
        raise UsageError(f"the issue {name} is {issue.state}: it cannot become {state}")
    return changed


async def find(connection: Connection, name: str) -> Issue:
    """Raises UsageError when there is none of that name."""
    row = await connection.fetchrow(_QUERIES["find"], name)
    if row is None:
        raise UsageError(f"no issue is called {name}: `lethe newsletter ls` shows those that were scheduled")
    return _issue(row)


async def listed(connection: Connection, limit: int) -> list[Issue]:
    """The latest first."""
    return [_issue(row) for row in await connection.fetch(_QUERIES["list"], limit)]


async def progress(connection: Connection, issue_id: int) -> dict[str, int]:
    """How many mails are in each state."""
    return {row["state"]: row["mails"] for row in await connection.fetch(_QUERIES["progress"], issue_id)}


async def counts(connection: Connection | asyncpg.Pool) -> tuple[dict[str, int], int]:
    """How many issues are in each state; how many mails of those being sent or paused are still to be sent."""
    states = {row["state"]: row["issues"] for row in await connection.fetch(_QUERIES["count_by_state"])}
    return states, await connection.fetchval(_QUERIES["count_waiting"])


async def count_recipients(connection: Connection, purpose: str, now: datetime) -> int:
    """How many would get an issue if it were sent now."""
    count: int = await connection.fetchval(_QUERIES["count_recipients"], purpose, now)
    return count


async def unknown(connection: Connection, issue_id: int, limit: int) -> list[asyncpg.Record]:
    """Mails of which nobody can know whether they arrived; never sent again."""
    rows: list[asyncpg.Record] = await connection.fetch(_QUERIES["unknown"], issue_id, limit)
    return rows


async def content(connection: Connection | asyncpg.Pool, issue_id: int) -> dict[str, Content]:
    """What was scheduled, by language."""
    kept = orjson.loads(await connection.fetchval(_QUERIES["content"], issue_id))
    return {language: Content(**one) for language, one in kept.items()}


async def start_due(connection: Connection | asyncpg.Pool, now: datetime) -> None:
    """Let begin what is due."""
    await connection.execute(_QUERIES["start_due"], now)


async def sending(connection: Connection | asyncpg.Pool) -> Sequence[asyncpg.Record]:
    """What is being sent: issue_id, purpose, prepared."""
    rows: Sequence[asyncpg.Record] = await connection.fetch(_QUERIES["sending"])
    return rows


async def prepare_slice(connection: Connection, issue_id: int, now: datetime) -> bool:
    """Put the mails of the next recipients into the ledger, in a transaction; False when there are no more.

    The last one adds who agreed meanwhile: whoever has agreed when the preparation ends gets the issue, and who agrees
    after that gets the next.
    """
    async with connection.transaction():
        row = await connection.fetchrow(_QUERIES["lock"], issue_id)
        if row is None:
            return False
        reached = await connection.fetchval(
            _QUERIES["prepare"], issue_id, row["reached_contact_id"], row["purpose"], _SLICE, now
        )
        if reached is None:
            await connection.execute(_QUERIES["prepare_rest"], issue_id, row["purpose"], now)
        await connection.execute(_QUERIES["reached"], issue_id, reached, now)
    return reached is not None


async def finish(connection: Connection | asyncpg.Pool, now: datetime) -> None:
    """Close what is done, and let go of what was cancelled."""
    await connection.execute(_QUERIES["finish_sent"], now)
    await connection.execute(_QUERIES["drop_cancelled"], now, _SLICE)


def _issue(row: asyncpg.Record) -> Issue:
    return Issue(row["issue_id"], row["name"], row["purpose"], row["state"], row["send_at"], row["prepared"])
