"""Reading a file of events for a command, and saying what is wrong with it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from workers.errors import UsageError

if TYPE_CHECKING:
    from workers.cli.events.event_file import Line
    from workers.settings import Settings

_SHOWN = 50


def read(path: Path, settings: "Settings") -> "list[Line]":
    """Every line of a file, or of standard input for `-`, checked. Raises UsageError when it cannot be read."""
    from workers import carriers as carrier_files
    from workers import purposes
    from workers.cli.events.event_file import Checker

    carriers, declared = carrier_files.load(settings.carriers_dir), purposes.load(settings.purposes_file)
    checker = Checker(settings, carriers, declared)
    try:
        if str(path) == "-":
            return list(checker.check(sys.stdin.buffer))
        with path.open("rb") as lines:
            return list(checker.check(lines))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def print_problems(lines: "list[Line]") -> int:
    """A line per problem on standard error, the first ones; returns how many there are."""
    problems = [problem for line in lines for problem in line.problems]
    for problem in problems[:_SHOWN]:
        where = f", {problem.field}" if problem.field else ""
        typer.echo(f"line {problem.line}{where}: {problem.reason} [{problem.code}]", err=True)
    if len(problems) > _SHOWN:
        typer.echo(f"… and {len(problems) - _SHOWN} more problems", err=True)
    return len(problems)


def summary(lines: "list[Line]") -> str:
    """How many are good and how many are not."""
    bad = sum(1 for line in lines if line.problems)
    return f"{len(lines)} events: {len(lines) - bad} good, {bad} bad"
