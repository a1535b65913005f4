"""`lethe topics`: what a broker lacks, and making it so."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from topics import catalogue, plan
from topics.admin import Admin, TopicsError
from topics.topic import Topic, TopicOverride
from workers import carriers
from workers import settings as settings_module
from workers.errors import LetheError, UsageError
from workers.settings import Settings

CHANGES_PENDING = 2

app = typer.Typer(
    no_args_is_help=True, help="Kafka topics: what is declared, what differs on the broker, making it so."
)
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line instead of text.")]
DeleteNames = Annotated[
    list[str] | None,
    typer.Option("--delete", metavar="NAME", help="Also delete this topic: its exact name; may be repeated."),
]


@dataclass(frozen=True)
class Desk:
    """The declared topics, the broker they belong on, and the prefix they live under."""

    topics: tuple[Topic, ...]
    admin: Admin
    prefix: str

    def actual(self) -> tuple[plan.Actual, ...]:
        """The topics on the broker, with the settings of those that are declared."""
        return self.admin.read_actual(topic.name for topic in self.topics)

    def changes(self, delete: list[str] | None = None) -> tuple[plan.Change, ...]:
        """What differs now."""
        return plan.plan(self.topics, self.actual(), self.prefix, frozenset(delete or ()))


@app.command("plan")
def plan_command(
    delete: DeleteNames = None,
    json_lines: Json = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 if something would change, for scripts.")
    ] = False,
) -> None:
    """Show what `apply` would change. Changes nothing.

    Example: lethe topics plan --detailed-exitcode
    """
    with _clear_errors():
        changes = _desk().changes(delete)
    _print(changes, json_lines)
    if detailed_exitcode and plan.pending(changes):
        raise typer.Exit(CHANGES_PENDING)


@app.command("apply")
def apply_command(
    delete: DeleteNames = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_lines: Json = False,
) -> None:
    """Create what is missing, mend settings, add partitions. Says what it will do, then asks.

    Nothing is deleted unless --delete names it. Exits with 2, having done nothing, where it cannot ask.

    Example: lethe topics apply --yes
    """
    with _clear_errors():
        found = _desk()
        changes = found.changes(delete)
    _print(changes, json_lines)
    todo = plan.pending(changes)
    if not todo:
        return
    if not yes:
        _ask(len(todo))
    with _clear_errors():
        found.admin.apply(todo)
    if not json_lines:
        Console().print(f"Done: {_count(len(todo))} made.")


@app.command("show")
def show_command(json_lines: Json = False) -> None:
    """List the declared topics: purpose, lifetime, who may use them, and their state on the broker.

    Example: lethe topics show --json | jq .name
    """
    with _clear_errors():
        found = _desk()
        actual = found.actual()
    changes = plan.plan(found.topics, actual, found.prefix)
    states = {topic.name: _state(topic, actual, changes) for topic in found.topics}
    if json_lines:
        for topic in found.topics:
            typer.echo(json.dumps(_described(topic) | {"state": states[topic.name]}))
    else:
        Console().print(_table(found.topics, states))


def desk(settings: Settings) -> Desk:
    """What `settings` declare, and the broker that they name."""
    overrides = {
        catalogue.ORDERS: TopicOverride(
            partitions=settings.orders_partitions, ownership="shared" if settings.orders_shared else "own"
        ),
        catalogue.CARRIER_ADDRESSES: TopicOverride(partitions=settings.carrier_partitions),
        catalogue.RELAY_POSITIONS: TopicOverride(partitions=max(4, settings.relay_shards)),
        catalogue.CONSENTS: TopicOverride(partitions=settings.consents_partitions),
        catalogue.REQUESTS: TopicOverride(partitions=settings.requests_partitions),
    }
    names = carriers.load(settings.carriers_dir)
    segments = catalogue.with_segments(overrides, settings.segment_ms)
    declared = catalogue.catalogue(settings.prefix, names, segments)
    return Desk(declared, Admin(settings.kafka_admin), settings.prefix)


def _desk() -> Desk:
    return desk(settings_module.load())


@contextmanager
def _clear_errors() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from error
    except TopicsError as error:
        raise LetheError(str(error)) from error


def _print(changes: tuple[plan.Change, ...], json_lines: bool) -> None:
    if json_lines:
        for change in changes:
            typer.echo(json.dumps(plan.to_json(change)))
        return
    styles = {"create": "green", "set_config": "yellow", "grow_partitions": "yellow", "delete": "red"}
    console = Console(soft_wrap=True, highlight=False)
    for change in changes:
        console.print(escape(str(change)), style=styles.get(change.kind, "bold"))
    todo = plan.pending(changes)
    console.print(f"{_count(len(todo))} to make." if todo else "Nothing to change.")


def _ask(count: int) -> None:
    if not _can_ask():
        typer.echo(f"{_count(count)} not made: nobody to ask here. To make them: add --yes", err=True)
        raise typer.Exit(CHANGES_PENDING)
    if not typer.confirm(f"Make {_count(count)}?"):
        typer.echo("Nothing was changed.", err=True)
        raise typer.Exit(1)


def _can_ask() -> bool:
    return sys.stdin.isatty()


def _count(count: int) -> str:
    return "1 change" if count == 1 else f"{count} changes"


def _state(topic: Topic, actual: tuple[plan.Actual, ...], changes: tuple[plan.Change, ...]) -> str:
    if all(found.name != topic.name for found in actual):
        return "missing"
    return "differs" if any(change.topic == topic.name for change in changes) else "in step"


def _described(topic: Topic) -> dict[str, object]:
    return {
        "name": topic.name,
        "key": topic.key,
        "events": topic.events,
        "partitions": topic.partitions,
        "configs": topic.all_configs,
        "ownership": topic.ownership,
        "personal_data": topic.personal_data,
        "produce": topic.produce,
        "consume": topic.consume,
        "description": topic.description,
    }


def _table(topics: tuple[Topic, ...], states: dict[str, str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("topic, from -> to", "partitions", "kept", "personal data", "state"):
        table.add_column(heading, overflow="fold")
    for topic in topics:
        shared = " (shared)" if topic.ownership == "shared" else ""
        users = f"{', '.join(topic.produce) or 'nobody'} -> {', '.join(topic.consume)}"
        table.add_row(
            f"{topic.name}{shared}\n  [dim]{users}[/dim]",
            str(topic.partitions),
            plan.readable("retention.ms", str(topic.retention_ms)),
            topic.personal_data,
            states[topic.name],
        )
    return table
