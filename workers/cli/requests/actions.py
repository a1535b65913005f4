"""What the commands of `lethe requests` do."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import typer

from schemas.base import IDENTIFIER_PATTERN
from workers import clock
from workers import settings as settings_module
from workers.cli import connections
from workers.cli.dlq import staff
from workers.db import migrate, sql
from workers.domain.email_address import normalise
from workers.domain.identifiers import is_identifier
from workers.domain.requests import REFUSALS, Move, Reason, RequestState
from workers.erasure import identities
from workers.erasure.desk import Opening, RequestDesk
from workers.erasure.identities import Identities
from workers.erasure.letters import RequestLetters
from workers.errors import Refused, UsageError
from workers.mail.desk import MailDesk
from workers.settings import Settings
from workers.vault import keyring
from workers.vault.subjects import SubjectVault

_REQUESTS = sql.queries("requests")
_ERASURE = sql.queries("erasure")
_SHORT = 8
T = TypeVar("T")


class Clerk:
    """What a command works with."""

    def __init__(self, settings: Settings, connection: asyncpg.Connection) -> None:
        self.settings = settings
        self.connection = connection
        ring = keyring.load(settings.keyring_dir)
        self.vault = SubjectVault(ring)
        self.desk = RequestDesk(self.vault, ring, settings)
        self.letters = RequestLetters(MailDesk(), ring, settings)
        self.now = clock.system_clock()
        self.actor = f"staff: {staff.name()}"

    async def find(self, number: str) -> asyncpg.Record:
        """One request by the beginning of its number. Raises UsageError where it is none, or more than one."""
        found = await self.connection.fetch(_REQUESTS["find"], number.strip().lower())
        if len(found) != 1:
            many = "more than one request begins" if found else "no request begins"
            raise UsageError(f"{many} so: see `lethe requests ls --all`")
        return found[0]


def new(emails: Sequence[str], references: Sequence[str], language: str, because: str) -> None:
    """Open a request; prints its number."""
    if not emails and not references:
        raise UsageError("name the person: --email, --customer-ref, or both")
    if not all(is_identifier(one) for one in references):
        raise UsageError(f"--customer-ref looks like {IDENTIFIER_PATTERN}")
    known_by = Identities(tuple(normalise(one) for one in emails), tuple(references))

    async def work(at: Clerk) -> tuple[UUID, bool]:
        number = uuid.uuid4()
        key = await at.desk.key(at.connection, number)
        await at.desk.open(at.connection, [Opening(number, "staff", language, known_by, key, at.actor)], at.now)
        row = (await at.desk.load(at.connection, [number]))[number]
        await at.connection.execute(_REQUESTS["annotate"], number, because)
        return number, row["joined"] is not None

    number, is_duplicate = _run(work)
    typer.echo(f"{number}{' (joins an open request of the same person)' if is_duplicate else ''}")


def print_list(state: str | None, all_: bool, limit: int, as_json: bool) -> None:
    """A line per request. Raises UsageError for an unknown state."""
    if state is not None and state not in set(RequestState):
        raise UsageError(f"--state is one of {', '.join(RequestState)}")

    async def work(at: Clerk) -> list[asyncpg.Record]:
        return list(await at.connection.fetch(_REQUESTS["list"], state, not all_, limit))

    rows = _run(work)
    for row in rows:
        typer.echo(json.dumps(_plain(row)) if as_json else _line(row))
    if not rows and not as_json:
        typer.echo("No request is open.")


def show(number: str, as_json: bool) -> None:
    """One request with its history and its stores."""

    async def work(at: Clerk) -> tuple[asyncpg.Record, list[asyncpg.Record], list[asyncpg.Record]]:
        row = await at.find(number)
        events = await at.connection.fetch(_REQUESTS["events"], row["request_id"])
        stores = await at.connection.fetch(_REQUESTS["stores"], row["request_id"])
        return row, list(events), list(stores)

    row, events, stores = _run(work)
    if as_json:
        whole = {**_plain(row), "events": [_plain(one) for one in events], "stores": [_plain(one) for one in stores]}
        typer.echo(json.dumps(whole))
        return
    typer.echo(_line(row))
    for one in events:
        why = " ".join(filter(None, (one["reason"], one["note"])))
        typer.echo(
            f"  {one['happened_at']:%Y-%m-%d %H:%M:%S}  {one['move']:<16} {one['state']:<18} {one['actor']}  {why}"
        )
    for one in stores:
        typer.echo(
            f"  store {one['store']:<20} {one['state']:<12} {one['attempts']} times asked  {one['reason'] or ''}"
        )


def verify(number: str, because: str) -> None:
    """The person is who they say."""
    _move(number, Move.VERIFY, None, because)


def hold(number: str, because: str) -> None:
    """Suspend."""
    _move(number, Move.HOLD, Reason.LEGAL_HOLD, because)


def release(number: str, because: str) -> None:
    """Go on; a request that waits for a delivery does not wait any more."""

    async def work(at: Clerk) -> RequestState:
        row = await at.find(number)
        await at.connection.execute(_REQUESTS["hold_until"], [row["request_id"]], at.now)
        moved = await at.desk.move(at.connection, [row["request_id"]], Move.RELEASE, at.actor, at.now, None, because)
        return moved[row["request_id"]]

    typer.echo(_run(work))


def refuse(number: str, reason: str, because: str) -> None:
    """Refuse, and tell the person. Raises UsageError for an unknown reason."""
    if reason not in REFUSALS:
        raise UsageError(f"--reason is one of {', '.join(sorted(REFUSALS))}")

    async def work(at: Clerk) -> RequestState:
        row = await at.find(number)
        locked = (await at.desk.load(at.connection, [row["request_id"]]))[row["request_id"]]
        keys = await at.vault.hold_by_id(at.connection, {locked["key_subject_id"]} - {None})
        moved = await at.desk.move(
            at.connection, [row["request_id"]], Move.REFUSE, at.actor, at.now, Reason(reason), because
        )
        key = keys.get(locked["key_subject_id"])
        if key is not None and locked["sealed"] is not None:
            values = {
                "reference": str(row["request_id"])[:_SHORT], "date": at.letters.day(row["received_at"]),
                "refusal": reason, "reason": "",
            }  # fmt: skip
            known = identities.unseal(locked["sealed"], key, row["request_id"])
            await at.letters.post(at.connection, "request_refused", key, known, row["language"], values, at.now)
        return moved[row["request_id"]]

    typer.echo(_run(work))


def retry(number: str) -> None:
    """Ask again; prints which stores."""

    async def work(at: Clerk) -> list[str]:
        row = await at.find(number)
        rows = await at.connection.fetch(_ERASURE["ask_again"], row["request_id"], at.now)
        return [one["store"] for one in rows]

    stores = _run(work)
    typer.echo(f"asked again: {', '.join(stores)}" if stores else "Every store has confirmed, or is being asked.")


def _move(number: str, what: Move, reason: Reason | None, because: str) -> None:
    async def work(at: Clerk) -> RequestState:
        row = await at.find(number)
        moved = await at.desk.move(at.connection, [row["request_id"]], what, at.actor, at.now, reason, because)
        return moved[row["request_id"]]

    typer.echo(_run(work))


def _run(work: Callable[[Clerk], Awaitable[T]]) -> T:
    async def run() -> T:
        settings = settings_module.load()
        async with connections.database(settings) as connection:
            await migrate.check(connection)
            try:
                async with connection.transaction():
                    return await work(Clerk(settings, connection))
            except Refused as refused:
                raise UsageError(refused.reason) from None

    return asyncio.run(run())


def _line(row: asyncpg.Record) -> str:
    left = (row["due_at"] - clock.system_clock()).days
    due = (
        f"due {row['due_at']:%Y-%m-%d} ({left} days)"
        if row["closed_at"] is None
        else f"ended {row['closed_at']:%Y-%m-%d}"
    )
    more = [row["reason"], f"certificate {row['certificate']}" if row["certificate"] else None]
    joined = f"joined {str(row['joined'])[:_SHORT]}" if row["joined"] else None
    words = "  ".join(filter(None, (*more, joined)))
    return f"{row['request_id']}  {row['request_type']}  {row['state']:<18} {due}  {row['channel']}  {words}".rstrip()


def _plain(row: asyncpg.Record) -> dict[str, Any]:
    return {name: _value(value) for name, value in row.items()}


def _value(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
