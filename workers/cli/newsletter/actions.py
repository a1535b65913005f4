"""What the commands of `lethe newsletter` do with an issue once it is written."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import asyncpg

from workers import clock
from workers import settings as settings_module
from workers.cli import connections
from workers.cli.newsletter import drafts, following
from workers.domain import schedule as slots
from workers.errors import UsageError
from workers.issues import book
from workers.issues.book import Issue
from workers.issues.issue_file import IssueFile
from workers.mail.mime import Content
from workers.settings import Settings

_SHOWN_UNKNOWN = 1000
T = TypeVar("T")


class Draft(NamedTuple):
    """An issue that could be sent: how many would get it now, and what it says by language."""

    issue: IssueFile
    contents: dict[str, Content]
    recipients: int

    def __str__(self) -> str:
        people = "1 person" if self.recipients == 1 else f"{self.recipients} people"
        return f"{self.issue.name} ({', '.join(self.contents)}) to {people} who agreed to {self.issue.purpose}"


def draft(folder: Path, name: str) -> Draft:
    """Raises UsageError."""
    issue, contents = drafts.rendered(settings_module.load(), folder, name)
    count = _with_database(lambda db: book.count_recipients(db, issue.purpose, clock.system_clock()))
    return Draft(issue, contents, count)


def schedule(one: Draft, at: str | None) -> str:
    """For the time `at` or the next slot; what was scheduled, in words. Raises UsageError."""
    settings = settings_module.load()
    zone, now = _zone(settings), clock.system_clock()
    send_at = _send_at(settings, at, zone, now)
    _with_database(lambda db: book.schedule(db, one.issue.name, one.issue.purpose, one.contents, send_at, now))
    return f"{one} as of now, on {send_at.astimezone(zone):%A %Y-%m-%d %H:%M} {zone.key}"


def send(one: Draft) -> None:
    """Schedule for now. Raises UsageError."""
    now = clock.system_clock()
    _with_database(lambda db: book.schedule(db, one.issue.name, one.issue.purpose, one.contents, now, now))


def follow(name: str) -> None:
    """Show a bar until the issue is sent, paused or cancelled. Raises UsageError."""
    _with_database(lambda db: following.follow(db, name))


def listed(limit: int) -> list[str]:
    """A line per issue."""
    zone = _zone(settings_module.load())
    return [
        f"{issue.name:<24} {issue.state:<10} {issue.purpose:<16} {_shown_at(issue, zone)}"
        for issue in _with_database(lambda db: book.listed(db, limit))
    ] or ["no issue was scheduled yet"]


def shown(name: str) -> list[str]:
    """State, progress, and the mails that are unknown. Raises UsageError."""
    zone = _zone(settings_module.load())

    async def read(db: asyncpg.Connection) -> list[str]:
        issue = await book.find(db, name)
        progress = await book.progress(db, issue.issue_id)
        lines = [f"{issue.name}: {issue.state}, {_recipients(issue, progress)}, {_shown_at(issue, zone)}"]
        lines += [f"  {state:<10} {count}" for state, count in sorted(progress.items())]
        for row in await book.unknown(db, issue.issue_id, _SHOWN_UNKNOWN):
            lines.append(f"  unknown: mail {row['mail_id']} to contact {row['contact_id']}, never sent again")
        if (more := progress.get("unknown", 0) - _SHOWN_UNKNOWN) > 0:
            lines.append(f"  and {more} more that are unknown")
        return lines

    return _with_database(read)


def changed(name: str, state: str) -> str:
    """The new state in words. Raises UsageError where it is not possible."""
    now = clock.system_clock()
    return f"{name} is {_with_database(lambda db: book.change_state(db, name, state, now))}"


def _send_at(settings: Settings, at: str | None, zone: ZoneInfo, now: datetime) -> datetime:
    if at is None:
        return slots.next_slot(now, slots.Weekday[settings.issue_weekday.upper()], settings.issue_hour, zone)
    try:
        send_at = slots.local(at, zone)
    except ValueError:
        raise UsageError(f"--at {at!r} is not a time such as '2026-12-01 09:00'") from None
    if send_at < now:
        raise UsageError(f"--at {at!r} has passed: give a later time, or `lethe newsletter send` to send it now")
    return send_at


def _recipients(issue: Issue, progress: Mapping[str, int]) -> str:
    count = sum(progress.values())
    return f"{count} recipients" if issue.prepared else f"{count} recipients so far"


def _shown_at(issue: Issue, zone: ZoneInfo) -> str:
    return f"{issue.send_at.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}"


def _zone(settings: Settings) -> ZoneInfo:
    try:
        return ZoneInfo(settings.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise UsageError(f"LETHE_TIME_ZONE {settings.time_zone!r} is not a time zone such as Europe/Paris") from None


def _with_database(work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    async def run() -> T:
        async with connections.database(settings_module.load()) as connection:
            return await work(connection)

    return asyncio.run(run())
