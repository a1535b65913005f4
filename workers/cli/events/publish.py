"""`lethe publish`: a file of events onto the topics that they belong on, as an upstream would."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from workers.cli.events.upstream import Outgoing
    from workers.settings import Settings


def publish(
    file: Annotated[Path, typer.Argument(help="One CloudEvent in JSON a line; - is standard input.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be published.")] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Publish the good events and leave out the bad ones.")
    ] = False,
    rate: Annotated[float | None, typer.Option("--rate", min=0.1, help="Events per second at most.")] = None,
) -> None:
    """Publish events in the order of the file, keyed by customer_ref, acknowledged by every replica.

    The whole file is checked first: when an event is bad, nothing is published. Publishing a file twice is harmless:
    Lethe ignores an event that it has applied.

    Example: lethe publish events.ndjson --rate 100
    """
    from workers import settings as settings_module
    from workers.cli.events import event_input
    from workers.errors import UsageError

    settings = settings_module.load()
    lines = event_input.read(file, settings)
    problems = event_input.print_problems(lines)
    if problems and not skip_bad:
        raise UsageError(f"{event_input.summary(lines)}: nothing was published; mend them, or add --skip-bad")
    for topic in dict.fromkeys(line.topic for line in lines if line.record is not None) or ("orders",):
        records = [line.record for line in lines if line.record is not None and line.topic == topic]
        name = settings.topic(topic)
        if dry_run:
            typer.echo(f"{event_input.summary(lines)}; {len(records)} would be published to {name}")
            continue
        count = asyncio.run(_send(settings, name, records, rate))
        typer.echo(f"{count} events were published to {name} and acknowledged")


async def _send(settings: "Settings", topic: str, records: "list[Outgoing]", rate: float | None) -> int:
    from rich.console import Console
    from rich.progress import Progress

    from workers.cli.events import upstream

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Publishing", total=len(records))
        return await upstream.publish(settings, topic, records, rate, lambda count: bar.advance(task, count))
