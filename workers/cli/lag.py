"""`lethe lag`: how far each consumer group is behind, in messages and in seconds."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Annotated

import typer
from aiokafka.errors import KafkaError
from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from workers import settings as settings_module
from workers.engine.lag import LagReader
from workers.engine.lag_search import PartitionLag
from workers.errors import LetheError

LATE_AFTER_S = 60


def lag(
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object per line instead of a table.")] = False,
    group: Annotated[list[str] | None, typer.Option("--group", help="Only this group; may be repeated.")] = None,
    peek: Annotated[
        bool,
        typer.Option("--peek", help="Tell trailing transaction markers from unread records (needs read rights)."),
    ] = False,
    interval_s: Annotated[float, typer.Option("--interval", min=0.1, help="Seconds between refreshes.")] = 2.0,
) -> None:
    """Show per group and partition how far it is behind: messages, and the age of the oldest unread one.

    No record is read: several transaction markers at the end may pass for lag, --peek tells them apart.

    Example: lethe lag --watch --group lethe.shipping
    """
    settings = settings_module.load()
    try:
        asyncio.run(
            _run(settings.kafka_client, settings.prefix, group, peek, json_lines, interval_s if watch else None)
        )
    except KafkaError as error:
        text = f"lag cannot be read from {settings.kafka_bootstrap!r}: {error}; is the broker running?"
        raise LetheError(" ".join(text.split())) from error
    except KeyboardInterrupt:
        raise typer.Exit from None


async def _run(
    connection: Mapping[str, object],
    prefix: str,
    groups: list[str] | None,
    peek: bool,
    json_lines: bool,
    interval_s: float | None,
) -> None:
    async with LagReader(connection, prefix) as reader:
        if json_lines:
            await _print_json(reader, groups, peek, interval_s)
        elif interval_s is None:
            Console().print(table(await reader.read(groups, peek)))
        else:
            with Live(table(await reader.read(groups, peek)), auto_refresh=False) as live:
                while True:
                    await asyncio.sleep(interval_s)
                    live.update(table(await reader.read(groups, peek)), refresh=True)


async def _print_json(reader: LagReader, groups: list[str] | None, peek: bool, interval_s: float | None) -> None:
    while True:
        for row in await reader.read(groups, peek):
            typer.echo(json.dumps(asdict(row)))
        if interval_s is None:
            return
        await asyncio.sleep(interval_s)


def table(rows: Iterable[PartitionLag]) -> Table:
    """The reading as a table; a group that is late by more than a minute is red."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption="seconds: age of the oldest unread message")
    for heading in ("group", "topic"):
        drawn.add_column(heading, overflow="fold")
    for heading in ("part", "committed", "end", "lag", "seconds"):
        drawn.add_column(heading, justify="right")
    for row in rows:
        late = row.lag_seconds > LATE_AFTER_S
        drawn.add_row(
            row.group,
            row.topic,
            str(row.partition),
            "-" if row.committed is None else str(row.committed),
            str(row.end),
            str(row.lag),
            f"{row.lag_seconds:.1f}",
            style="red" if late else "yellow" if row.lag else "",
        )
    return drawn
