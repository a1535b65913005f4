"""How dead letters are printed."""

import json
from collections.abc import Sequence
from typing import Any, get_args

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workers.engine.dead_letters import DeadLetter, Ground, State
from workers.engine.records import Record
from workers.errors import UsageError


def state(named: str) -> State | None:
    """The state to filter on; None for any. Raises UsageError."""
    known: tuple[State, ...] = get_args(State)
    if named == "any":
        return None
    for one in known:
        if one == named:
            return one
    raise UsageError(f"--state is one of {', '.join(known)}, any")


def ground(named: str) -> Ground:
    """The ground of a disclosure. Raises UsageError."""
    known: tuple[Ground, ...] = get_args(Ground)
    for one in known:
        if one == named:
            return one
    raise UsageError(f"--ground is one of {', '.join(known)}")


def print_list(letters: Sequence[DeadLetter], max_age_s: int, more: bool, json_lines: bool) -> None:
    """A table, or JSON by line."""
    if json_lines:
        for letter in letters:
            typer.echo(json.dumps(_plain(letter, max_age_s)))
        return
    console = Console()
    if not letters:
        console.print("No dead letters. (--state any lists those that were dealt with, too.)")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("id, expires", "code, event", "reason, source"):
        table.add_column(heading, overflow="fold", no_wrap=heading != "reason, source")
    for letter in letters:
        repeated = f" x{letter.seen_count}" if letter.seen_count > 1 else ""
        unsettled = "" if letter.state == "parked" else f" [dim]({letter.state})[/dim]"
        source = f"{letter.topic}[{letter.partition}]@{letter.record_offset}"
        expires_at = letter.expires_at(max_age_s)
        reason = escape(f"{letter.reason} ({letter.field})" if letter.field else letter.reason)
        table.add_row(
            f"{str(letter.dead_letter_id)[:8]}\n[dim]{f'{expires_at:%Y-%m-%d %H:%M}' if expires_at else '-'}[/dim]",
            f"{letter.code}{repeated}{unsettled}\n[dim]{letter.event_type or '-'}[/dim]",
            f"{reason}\n[dim]{escape(source)}[/dim]",
        )
    console.print(table)
    if more:
        console.print(f"There are more than these {len(letters)}: raise --limit, or choose with --code.")


def print_letter(letter: DeadLetter, max_age_s: int, json_lines: bool) -> None:
    """All that may be shown of one letter without opening it."""
    if json_lines:
        typer.echo(json.dumps(_plain(letter, max_age_s)))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _plain(letter, max_age_s).items():
        table.add_row(name, escape("-" if value is None else str(value)))
    Console().print(table)


def print_record(record: Record) -> None:
    """The refused record. What a terminal could take for a command is escaped."""
    typer.echo(f"key      {_safe(record.key)}")
    for name, value in record.headers:
        typer.echo(f"header   {_printable(name)}: {_safe(value)}")
    typer.echo(f"body     {_safe(record.value)}")


def _safe(value: bytes | None) -> str:
    return "(none)" if value is None else _printable(value.decode("utf-8", "backslashreplace"))


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _plain(letter: DeadLetter, max_age_s: int) -> dict[str, Any]:
    fields = letter._asdict()
    expires_at = letter.expires_at(max_age_s)
    fields |= {name: fields[name].isoformat() for name in ("parked_at", "changed_at")}
    fields["expires_at"] = expires_at and expires_at.isoformat()
    return {**fields, "dead_letter_id": str(letter.dead_letter_id)}
