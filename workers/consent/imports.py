"""Imports subscribers from a CSV file, line by line; a line that is refused says why, and changes nothing."""

import csv
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple, TextIO

import asyncpg

from workers.clock import Clock
from workers.consent.desk import ConsentDesk
from workers.domain import subscriber_file
from workers.domain.consent import ConsentChange
from workers.domain.subscriber_file import OPTIONAL, REQUIRED
from workers.errors import Refused, UsageError

_SLICE: Final = 500


class ImportedLine(NamedTuple):
    """What became of one line, counted from 1 with the header: `added`, `known` (it was valid before), or `refusal`."""

    number: int
    state: str
    refusal: Refused | None = None


class _Line(NamedTuple):
    number: int
    change: ConsentChange | None
    refusal: Refused | None


class SubscriberFile:
    """An open CSV file (RFC 4180, UTF-8, a header line)."""

    def __init__(self, file: TextIO) -> None:
        """Raises UsageError where a column is missing that every line needs."""
        self._reader = csv.DictReader(file, restkey="", restval="", strict=True)
        try:
            columns = [name.strip() for name in self._reader.fieldnames or ()]
        except (csv.Error, UnicodeDecodeError):
            raise UsageError("the file is not CSV in UTF-8 with a header line") from None
        self._reader.fieldnames = columns
        missing = [name for name in REQUIRED if name not in columns]
        if missing:
            raise UsageError(
                f"columns are missing: {', '.join(missing)}; needed are {', '.join(REQUIRED)}, and of "
                f"{', '.join(OPTIONAL)} what you have: without what shows it there is no consent (GDPR 7(1))"
            )
        self.ignored = [name for name in columns if name and name not in REQUIRED + OPTIONAL]

    def lines(self, clock: Clock) -> Iterator[_Line]:
        """Each line as the change that it stands for, or the reason why it is none."""
        while True:
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except (csv.Error, UnicodeDecodeError):
                raise UsageError(
                    f"after line {self._reader.line_num} it is not CSV in UTF-8: mend the file and import it again; "
                    "what is known already is left as it is"
                ) from None
            known = {name: cells[name] for name in REQUIRED + OPTIONAL if name in cells}
            try:
                yield _Line(self._reader.line_num, subscriber_file.parse(known, clock()), None)
            except Refused as refusal:
                yield _Line(self._reader.line_num, None, refusal)


async def run(
    file: SubscriberFile, connection: asyncpg.Connection, desk: ConsentDesk, clock: Clock, dry_run: bool = False
) -> AsyncIterator[ImportedLine]:
    """Apply the lines in slices of one transaction each; what became of every line, in order.

    With `dry_run` each slice is rolled back. Raises UsageError where the file is no CSV any more; the slices before
    were applied.
    """
    lines = file.lines(clock)
    while portion := list(islice(lines, _SLICE)):
        transaction = connection.transaction()
        await transaction.start()
        try:
            told = await _apply(portion, connection, desk, clock)
        except BaseException:
            await transaction.rollback()
            raise
        await (transaction.rollback() if dry_run else transaction.commit())
        for one in told:
            yield one


async def _apply(
    portion: Iterable[_Line], connection: asyncpg.Connection, desk: ConsentDesk, clock: Clock
) -> list[ImportedLine]:
    changes = [line.change for line in portion if line.change is not None]
    outcomes = iter(await desk.apply(connection, changes, clock()))
    told = []
    for line in portion:
        if line.change is None:
            told.append(ImportedLine(line.number, "refused", line.refusal))
            continue
        outcome = next(outcomes)
        state = "refused" if outcome.refusal else "added" if outcome.effects else "known"
        told.append(ImportedLine(line.number, state, outcome.refusal))
    return told
