"""How mails are printed."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from workers.cli.mail.actions import Row
from workers.mail.desk import Letter

_SEALED = ("sealed", "subject_id")


def print_list(rows: Sequence[Row], more: bool, json_lines: bool) -> None:
    """A table, or JSON by line."""
    if json_lines:
        for row in rows:
            typer.echo(json.dumps(_plain(row)))
        return
    console = Console()
    if not rows:
        console.print("No mails.")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("id", "kind", "state", "since", "tries", "answer"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        kind = row["template"] if row["issue_id"] is None else f"issue {row['issue_id']}"
        table.add_row(
            str(row["mail_id"]), f"{kind} ({row['language']})", row["state"], f"{row['changed_at']:%Y-%m-%d %H:%M}",
            str(row["attempts"]), " ".join(str(one) for one in (row["smtp_code"], row["reason"]) if one) or "-",
        )  # fmt: skip
    console.print(table)
    if more:
        console.print("There are more: raise --limit, or choose with --state and --template.")


def print_totals(rows: Sequence[Row], json_lines: bool) -> None:
    """Counts by kind and state."""
    for row in rows:
        line = f"{row['mails']:>9,}  {row['state']:<9}  {row['class']:<9}  {row['template']}"
        typer.echo(json.dumps(_plain(row)) if json_lines else line)


def print_mail(mail: Row, json_lines: bool) -> None:
    """All that may be shown of one mail without opening it."""
    if json_lines:
        typer.echo(json.dumps(_plain(mail)))
        return
    for name, value in _plain(mail).items():
        typer.echo(f"{name:<16} {'-' if value is None else value}")


def print_letter(letter: Letter) -> None:
    """To whom, and the values. What a terminal could take for a command is escaped."""
    typer.echo(f"to               {_printable(letter.to)}")
    for name, value in letter.values.items():
        typer.echo(f"{name:<16} {_printable(value)}")


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _plain(row: Row) -> dict[str, Any]:
    shown = {name: value for name, value in row.items() if name not in _SEALED}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in shown.items()}
