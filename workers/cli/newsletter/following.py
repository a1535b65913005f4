"""Following an issue while it is sent: a bar on a terminal, silence elsewhere."""

import asyncio
from collections.abc import Mapping

import asyncpg
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from workers import clock
from workers.issues import book
from workers.issues.book import Issue

_POLL_S = 1.0
_PATIENCE_POLLS = 10
_OPEN = frozenset(("intent", "claimed"))
_NO_MAILER = "nobody has begun to send it yet: is a `lethe worker mailer` running?"


async def follow(connection: asyncpg.Connection, name: str) -> Issue:
    """Until the issue is sent, cancelled or paused, or waits for a later time; returns how it stands then."""
    console, polls = Console(stderr=True), 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=None)
        while True:
            issue = await book.find(connection, name)
            progress = await book.progress(connection, issue.issue_id)
            bar.update(task, completed=_ended(progress), total=await _total(connection, issue, progress))
            if not _goes_on(issue):
                return issue
            if polls == _PATIENCE_POLLS and not _ended(progress):
                typer.echo(_NO_MAILER, err=True)
            polls += 1
            await asyncio.sleep(_POLL_S)


def _goes_on(issue: Issue) -> bool:
    return issue.state == "sending" or (issue.state == "scheduled" and issue.send_at <= clock.system_clock())


def _ended(progress: Mapping[str, int]) -> int:
    return sum(mails for state, mails in progress.items() if state not in _OPEN)


async def _total(connection: asyncpg.Connection, issue: Issue, progress: Mapping[str, int]) -> int:
    """All mails of the issue; while they are being gathered, who may be written to now."""
    known = sum(progress.values())
    if issue.prepared:
        return known
    return max(known, await book.count_recipients(connection, issue.purpose, clock.system_clock()))
