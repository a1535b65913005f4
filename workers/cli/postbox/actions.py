"""What the commands of `lethe postbox` do."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from email import message_from_bytes
from pathlib import Path
from typing import TypeVar

import asyncpg
import typer

from workers import clock
from workers import settings as settings_module
from workers.cli import connections
from workers.db import migrate
from workers.domain import mail_header, mail_text
from workers.errors import LetheError, UsageError
from workers.postbox import inbox
from workers.postbox.inbox import Delivered, Inbox, Listed
from workers.vault import keyring

_SHOWN_HEADERS = ("From", "Reply-To", "To", "Subject", "Date", "Message-ID", "In-Reply-To")
_READ_BYTES = 1 << 20
T = TypeVar("T")


def print_list(state: str, flow: str | None, limit: int, json_lines: bool) -> None:
    """A line per mail. Raises UsageError for an unknown state."""
    if state not in (*inbox.STATES, "any"):
        raise UsageError(f"--state is one of {', '.join(inbox.STATES)}, any")
    rows = _with_database(lambda db: inbox.listed(db, None if state == "any" else state, flow, limit))
    for row in rows:
        typer.echo(json.dumps(_plain(row)) if json_lines else _line(row))
    if not rows and not json_lines:
        typer.echo("No mail waits for a person." if state == "for_person" else "No such mail.")


def show(number: int, eml: Path | None) -> None:
    """One mail, opened. Raises UsageError when there is none, LetheError when its copy was let go."""
    ring = keyring.load(settings_module.load().keyring_dir)

    async def read(db: asyncpg.Connection) -> tuple[Listed, Delivered]:
        row = await inbox.find(db, number)
        if row is None:
            raise UsageError(f"there is no mail {number}: see `lethe postbox ls --state any`")
        mail = await Inbox(ring).open(db, number)
        if mail is None:
            raise LetheError(f"{_line(row)}: its copy was let go")
        return row, mail

    row, mail = _with_database(read)
    if eml is not None:
        _write(eml, mail.content)
        typer.echo(f"written to {eml}: personal data, keep it only as long as your task needs it", err=True)
        return
    message = message_from_bytes(mail.content[:_READ_BYTES])
    typer.echo(_line(row))
    for name in _SHOWN_HEADERS:
        if value := mail_header.text(message, name):
            typer.echo(f"{name}: {value}")
    attached = mail_text.attachments(message)
    typer.echo(f"\n{mail_text.text(message)}\n")
    if attached:
        typer.echo(f"{attached} attachments: --eml FILE writes the whole mail")


def change(numbers: list[int], again: bool) -> None:
    """Mark mails; says which were. Raises UsageError when one does not wait for a person."""
    work = inbox.sort_again if again else inbox.done
    changed = _with_database(lambda db: work(db, numbers, clock.system_clock()))
    for number in sorted(changed):
        typer.echo(f"{number} {'will be sorted once more' if again else 'is done'}")
    if missing := sorted(set(numbers) - changed):
        raise UsageError(f"these do not wait for a person: {', '.join(map(str, missing))}")


def _line(row: Listed) -> str:
    about = f" about mail {row.mail_id}" if row.mail_id is not None else ""
    return (
        f"{row.inbox_mail_id:>8}  {row.received_at:%Y-%m-%d %H:%M}  {row.state:<10}  {row.flow or '-':<11}  "
        f"{row.outcome or '-'}{about}, {row.size_bytes} bytes"
    )


def _plain(row: Listed) -> dict[str, object]:
    times = {name: getattr(row, name).isoformat() for name in ("received_at", "changed_at")}
    return {**row._asdict(), **times}


def _write(path: Path, content: bytes) -> None:
    try:
        with path.open("xb") as opened:
            path.chmod(0o600)
            opened.write(content)
    except FileExistsError:
        raise UsageError(f"{path} exists: name another file") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def _with_database(work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    async def run() -> T:
        async with connections.database(settings_module.load()) as connection:
            await migrate.check(connection)
            return await work(connection)

    return asyncio.run(run())
