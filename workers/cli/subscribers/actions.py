"""What `lethe subscribers import`, `suppress` and `export` do."""

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import asyncpg
import typer
from rich.console import Console
from rich.progress import Progress

from workers import clock
from workers.consent import imports, listing
from workers.consent.desk import ConsentDesk
from workers.consent.imports import ImportedLine, SubscriberFile
from workers.domain.consent import VALID, ConsentChange, Entity, Kind
from workers.domain.subscriber_file import EVIDENCE, OPTIONAL, REQUIRED
from workers.errors import UsageError

_DISCLOSURE = (
    "Personal data follows. Taking it out of Lethe is a disclosure: keep the file only as long as its task needs it."
)


async def import_file(connection: asyncpg.Connection, desk: ConsentDesk, path: Path, dry_run: bool) -> int:
    """Import, and say what was refused, line by line; returns how many lines were."""
    counts: Counter[str] = Counter()
    console = Console(stderr=True)
    with _readable(path) as opened, Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        file = SubscriberFile(opened)
        if file.ignored:
            typer.echo(f"not imported: the columns {', '.join(file.ignored)}", err=True)
        task = bar.add_task("Importing", total=None)
        async for line in imports.run(file, connection, desk, clock.system_clock, dry_run):
            counts[line.state] += 1
            bar.advance(task)
            if line.refusal is not None:
                typer.echo(_refused(line), err=True)
    would = "would be " if dry_run else ""
    typer.echo(f"{counts['added']} {would}added, {counts['known']} known already, {counts['refused']} {would}refused")
    return counts["refused"]


async def suppress(
    connection: asyncpg.Connection, desk: ConsentDesk, email: str, purpose: str, objection: bool
) -> None:
    """Record the no. Raises Refused where it is no address, or no purpose."""
    if objection and purpose != "*":
        raise UsageError("an objection is against all that needs consent: leave --purpose away")
    kind = Kind.OBJECTION if objection else Kind.WITHDRAWN
    now = clock.system_clock()
    change = ConsentChange(kind, purpose, Entity.STAFF, "staff", now, email=email)
    async with connection.transaction():
        (outcome,) = await desk.apply(connection, [change], now)
    if outcome.refusal is not None:
        raise outcome.refusal
    known = "its consents have ended" if outcome.contact_id is not None else "Lethe knew no contact of this address"
    typer.echo(f"suppressed for {'everything' if purpose == '*' else purpose}; {known}")


async def export(connection: asyncpg.Connection, desk: ConsentDesk, path: Path, purpose: str | None) -> None:
    """Every valid consent, in the columns of an import."""
    typer.echo(_DISCLOSURE, err=True)
    count = 0
    with _writable(path) as opened:
        writer = csv.DictWriter(opened, [*REQUIRED, *OPTIONAL], extrasaction="ignore", restval="")
        writer.writeheader()
        for status in sorted(VALID):
            async for entry in listing.entries(connection, desk, purpose, status):
                if entry.contact is not None:
                    writer.writerow(await _cells(connection, desk, entry))
                    count += 1
    typer.echo(f"{count} written", err=True)


async def _cells(connection: asyncpg.Connection, desk: ConsentDesk, entry: listing.Entry) -> dict[str, str]:
    """A line that an import of another Lethe would accept."""
    assert entry.contact is not None
    history = await desk.history(connection, entry.contact)
    yes = [one for one in history if one.purpose == entry.purpose and one.event_state in VALID]
    asked = [one for one in history if one.purpose == entry.purpose and one.event_type == "consent.given"]
    first, last = (asked or yes)[-1], yes[-1]
    evidence = {**(first.evidence or {}), **(last.evidence or {})}
    confirmed = {"confirmed_at": last.event_time.isoformat()} if last is not first or _proven(evidence) else {}
    return {
        **{name: str(evidence[name]) for name in EVIDENCE if name in evidence},
        **confirmed,
        "email": entry.contact.email,
        "purpose": entry.purpose,
        "consented_at": first.event_time.isoformat(),
        "collection_method": first.collection_method,
        "privacy_notice": entry.privacy_notice,
        "language": entry.contact.language,
    }


def _proven(evidence: dict[str, object]) -> bool:
    return "double_opt_in" in evidence or "confirmed_at" in evidence


def _refused(line: ImportedLine) -> str:
    assert line.refusal is not None
    where = f", {line.refusal.field}" if line.refusal.field else ""
    return f"line {line.number}{where}: {line.refusal.reason} [{line.refusal.code}]"


@contextmanager
def _readable(path: Path) -> Iterator[TextIO]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as opened:
            yield opened
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


@contextmanager
def _writable(path: Path) -> Iterator[TextIO]:
    if str(path) == "-":
        yield sys.stdout
        return
    try:
        with path.open("x", encoding="utf-8", newline="") as opened:
            path.chmod(0o600)
            yield opened
    except FileExistsError:
        raise UsageError(f"{path} exists: name another file") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
