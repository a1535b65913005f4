"""What `lethe dlq replay` and `drop` do with the letters that were chosen."""

import asyncio
import sys
import time
from collections.abc import Sequence
from uuid import UUID

import asyncpg
import typer

from workers import clock
from workers.engine import dead_letters
from workers.engine.dead_letters import DeadLetter
from workers.errors import UsageError

_POLL_S = 0.2
_MOST = 100_000


async def replay(
    connection: asyncpg.Connection, named: Sequence[str], all_parked: bool, code: str | None, wait_s: float
) -> bool:
    """Mark, wait, report; True when every chosen letter was applied."""
    letters = await _choose(connection, named, all_parked, code)
    marked = await dead_letters.request_replay(
        connection, [letter.dead_letter_id for letter in letters], clock.system_clock()
    )
    refused = [letter for letter in letters if letter.dead_letter_id not in marked]
    for letter in refused:
        typer.echo(f"{_short(letter)}  not replayed: {_why_not(letter)}", err=True)
    if wait_s == 0:
        typer.echo(f"{len(marked)} marked for replay")
        return not refused
    outcomes = await _await_outcomes(connection, sorted(marked), wait_s)
    applied = sum(1 for letter in outcomes if letter.state == "replayed")
    for letter in outcomes:
        _report(letter)
    typer.echo(f"{applied} of {len(letters)} were applied")
    for group in sorted({letter.consumer_group for letter in outcomes if letter.state == "replaying"}):
        worker = group.rpartition(".")[2]
        typer.echo(
            f"Those that wait are applied as soon as a {worker} worker runs; none seems to: `lethe worker {worker}`",
            err=True,
        )
    return applied == len(letters)


async def drop(
    connection: asyncpg.Connection, named: Sequence[str], all_parked: bool, code: str | None, yes: bool
) -> None:
    """Ask, then drop. Raises UsageError where nobody can be asked."""
    if all_parked and code is None:
        raise UsageError("--all also needs --code: name the refusal code whose events are to be dropped")
    letters = await _choose(connection, named, all_parked, code)
    if letters and not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"{_count(letters)} would be dropped; nobody to ask here: add --yes")
        typer.confirm(f"Drop {_count(letters)} for good? There is no replay afterwards", abort=True)
    dropped = await dead_letters.drop(connection, [letter.dead_letter_id for letter in letters], clock.system_clock())
    for letter in letters:
        if letter.dead_letter_id not in dropped:
            typer.echo(f"{_short(letter)}  not dropped: it is {letter.state} already", err=True)
    typer.echo(f"{len(dropped)} dropped")


async def _choose(
    connection: asyncpg.Connection, named: Sequence[str], all_parked: bool, code: str | None
) -> list[DeadLetter]:
    if bool(named) == all_parked:
        raise UsageError("name the dead letters by id, or say --all; `lethe dlq ls` lists them")
    if all_parked:
        return await dead_letters.find_all(connection, code, "parked", None, _MOST)
    if code is not None:
        raise UsageError("--code goes with --all, not with ids")
    return [await dead_letters.find(connection, one) for one in named]


async def _await_outcomes(connection: asyncpg.Connection, ids: Sequence[UUID], wait_s: float) -> list[DeadLetter]:
    deadline_s = time.monotonic() + wait_s
    while True:
        letters = await dead_letters.read(connection, ids)
        waiting = any(letter.state == "replaying" for letter in letters)
        if not waiting or time.monotonic() > deadline_s:
            return letters
        await asyncio.sleep(_POLL_S)


def _report(letter: DeadLetter) -> None:
    if letter.state == "parked":
        typer.echo(f"{_short(letter)}  parked again: {letter.reason} [{letter.code}]")
    else:
        typer.echo(f"{_short(letter)}  {'applied' if letter.state == 'replayed' else letter.state}")


def _why_not(letter: DeadLetter) -> str:
    if letter.state == "expired":
        return "it has expired and its copy was deleted; the shop must publish it again"
    if letter.state != "parked":
        return f"it is {letter.state} already"
    return "no copy of it was kept, since it held card data; the shop must publish it again without"


def _count(letters: Sequence[DeadLetter]) -> str:
    return "1 event" if len(letters) == 1 else f"{len(letters)} events"


def _short(letter: DeadLetter) -> str:
    return str(letter.dead_letter_id)[:8]
