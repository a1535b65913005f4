"""What the commands of `lethe newsletter` do."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import asyncpg

from workers import clock, purposes
from workers import settings as settings_module
from workers.cli import connections
from workers.domain import schedule as slots
from workers.errors import UsageError
from workers.issues import book, issue_file, rendering
from workers.issues.issue_file import IssueFile
from workers.mail.mime import Content
from workers.settings import Settings

_SHOWN_UNKNOWN = 1000
T = TypeVar("T")


def preview(folder: Path, name: str, out: Path) -> list[Path]:
    """The files written. Raises UsageError."""
    _, contents = _rendered(settings_module.load(), folder, name)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for language, content in contents.items():
        for suffix, text in (("html", content.html), ("txt", content.text)):
            file = out / f"{name}.{language}.{suffix}"
            file.write_text(text, "utf-8")
            written.append(file)
    return written


def schedule(folder: Path, name: str, at: str | None) -> str:
    """What was scheduled, in words. Raises UsageError."""
    settings = settings_module.load()
    issue, contents = _rendered(settings, folder, name)
    zone, now = ZoneInfo(settings.time_zone), clock.system_clock()
    if at is None:
        weekday = slots.Weekday[settings.issue_weekday.upper()]
        send_at = slots.next_slot(now, weekday, settings.issue_hour, zone)
    else:
        try:
            send_at = slots.local(at, zone)
        except ValueError:
            raise UsageError(f"--at {at!r} is not a time such as '2026-12-01 09:00'") from None
    _with_database(lambda db: book.schedule(db, name, issue.purpose, contents, send_at, now))
    shown = send_at.astimezone(zone).strftime("%A %Y-%m-%d %H:%M")
    return f"{name} ({', '.join(contents)}) goes to everybody who agreed to {issue.purpose} on {shown} {zone.key}"


def listed(limit: int) -> list[str]:
    """A line per issue."""
    return [
        f"{issue.name:<24} {issue.state:<10} {issue.purpose:<16} {issue.send_at:%Y-%m-%d %H:%M} UTC"
        for issue in _with_database(lambda db: book.listed(db, limit))
    ] or ["no issue was scheduled yet"]


def shown(name: str) -> list[str]:
    """State, progress, and the mails that are unknown. Raises UsageError."""

    async def read(db: asyncpg.Connection) -> list[str]:
        issue = await book.find(db, name)
        progress = await book.progress(db, issue.issue_id)
        lines = [f"{issue.name}: {issue.state}, recipients {'complete' if issue.prepared else 'being gathered'}"]
        lines += [f"  {state:<10} {count}" for state, count in sorted(progress.items())]
        for row in await book.unknown(db, issue.issue_id, _SHOWN_UNKNOWN):
            lines.append(f"  unknown: mail {row['mail_id']} to contact {row['contact_id']}, never sent again")
        return lines

    return _with_database(read)


def changed(name: str, state: str) -> str:
    """The new state in words. Raises UsageError where it is not possible."""
    _with_database(lambda db: book.change_state(db, name, state, clock.system_clock()))
    return f"{name} is {state}"


def _rendered(settings: Settings, folder: Path, name: str) -> tuple[IssueFile, dict[str, Content]]:
    declared = purposes.load(settings.purposes_file)
    issue = issue_file.read(folder, name, declared)
    titles = {variant.language: declared[issue.purpose].title_in(variant.language) for variant in issue.variants}
    return issue, rendering.render(issue, settings.shop_name, titles)


def _with_database(work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    async def run() -> T:
        async with connections.database(settings_module.load()) as connection:
            return await work(connection)

    return asyncio.run(run())
