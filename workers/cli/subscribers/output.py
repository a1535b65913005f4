"""How consent records are printed."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from workers.consent import listing
from workers.consent.desk import ConsentDesk
from workers.consent.listing import Entry
from workers.consent.records import ConsentEvent, ConsentRecord
from workers.domain.consent import Suppression
from workers.errors import UsageError


class Found(NamedTuple):
    """All about one address; `contact_id` is None where Lethe has no contact of it."""

    contact_id: int | None
    records: Sequence[ConsentRecord]
    history: Sequence[ConsentEvent]
    suppressions: Mapping[str, Suppression]


async def collect(
    connection: asyncpg.Connection, desk: ConsentDesk, purpose: str | None, status: str | None, limit: int
) -> list[Entry]:
    """The first records."""
    found = []
    async for entry in listing.entries(connection, desk, purpose, status):
        found.append(entry)
        if len(found) == limit:
            break
    return found


async def look_up(connection: asyncpg.Connection, desk: ConsentDesk, email: str) -> Found:
    """Raises Refused where it is no address, UsageError where nothing at all is known of it."""
    async with connection.transaction():
        suppressions = await desk.suppressions(connection, email)
        contact = await desk.contact_by_email(connection, email)
        if contact is None:
            if not suppressions:
                raise UsageError("nothing is known of this address: no consent, no suppression")
            return Found(None, (), (), suppressions)
        records = await desk.statuses(connection, contact.contact_id)
        return Found(contact.contact_id, records, await desk.history(connection, contact), suppressions)


def print_list(entries: Sequence[Entry], emails: bool, more: bool, json_lines: bool) -> None:
    """A table, or JSON by line."""
    if json_lines:
        for entry in entries:
            typer.echo(json.dumps(_plain(entry, emails)))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    headings = ("contact", "purpose", "status", "since", "until", *(("address",) if emails else ()))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for entry in entries:
        table.add_row(*(str(value or "-") for value in _plain(entry, emails).values()))
    console = Console()
    console.print(table)
    if more:
        console.print("There are more: --limit shows them.")


def print_one(found: Found, evidence: bool) -> None:
    """Records, history and suppressions of one address."""
    typer.echo(f"contact {found.contact_id}" if found.contact_id is not None else "no contact")
    for one in found.records:
        until = f", until {one.record.expires_at:%Y-%m-%d}" if one.record.expires_at else ""
        typer.echo(f"{one.purpose}: {one.record.status} since {one.record.changed_at:%Y-%m-%d %H:%M}{until}")
    for purpose, suppression in found.suppressions.items():
        scope = "everything" if purpose == "*" else purpose
        typer.echo(f"suppressed for {scope}: {suppression.reason} since {suppression.since:%Y-%m-%d %H:%M}")
    for event in found.history:
        typer.echo(
            f"  {event.event_time:%Y-%m-%d %H:%M}  {event.purpose}  {event.event_type} by {event.entity} "
            f"({event.collection_method}, policy {event.privacy_notice}) -> {event.event_state}"
        )
        if evidence and event.evidence:
            typer.echo(f"    {json.dumps(dict(event.evidence), ensure_ascii=False)}")


def _plain(entry: Entry, emails: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "contact_id": entry.contact_id,
        "purpose": entry.purpose,
        "status": entry.status,
        "changed_at": entry.changed_at.isoformat(timespec="minutes"),
        "expires_at": entry.expires_at.isoformat(timespec="minutes") if entry.expires_at else None,
    }
    if emails:
        shown["email"] = entry.contact.email if entry.contact else None
    return shown
