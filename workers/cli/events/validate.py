"""`lethe validate`: is this file fit to be published?"""

from pathlib import Path
from typing import Annotated

import typer


def validate(
    file: Annotated[Path, typer.Argument(help="One CloudEvent in JSON a line; - is standard input.")],
) -> None:
    """Check each event as a worker would, the carrier's limits included. Sends nothing.

    Names line, field and what is wrong, never a value. Exits with 1 if an event is bad.

    Example: lethe validate events.ndjson
    """
    from workers import settings as settings_module
    from workers.cli.events import event_input

    lines = event_input.read(file, settings_module.load())
    problems = event_input.print_problems(lines)
    typer.echo(event_input.summary(lines))
    if problems:
        raise typer.Exit(1)
