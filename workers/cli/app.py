"""The `lethe` command: which commands there are, and what becomes of their errors.

A command's module is imported when the command is run, not before: `lethe --help` stays fast.
"""

import importlib
import logging
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from workers.cli import failures

_DISTRIBUTION = "lethe"


class Entry(NamedTuple):
    """Where a command is found (a function, or a Typer app of sub-commands), and its line in the overview."""

    module: str
    attribute: str
    summary: str


COMMANDS: Final = {
    "up": Entry("workers.cli.local.up", "up", "Start Kafka, PostgreSQL and the workers on this machine until Ctrl-C."),
    "demo": Entry(
        "workers.cli.demo.command", "demo", "Run the whole pipeline once on sample orders and show what happened."
    ),
    "worker": Entry("workers.cli.worker", "worker", "Run workers in this process until it is told to end."),
    "migrate": Entry("workers.cli.migrate", "migrate", "Prepare the database and the keyring for this version."),
    "topics": Entry("workers.cli.topics", "app", "Kafka topics: what is declared, what differs, making it so."),
    "publish": Entry("workers.cli.events.publish", "publish", "Publish a file of events as an upstream would."),
    "validate": Entry(
        "workers.cli.events.validate", "validate", "Check a file of events and say what is wrong, line by line."
    ),
    "lag": Entry("workers.cli.lag", "lag", "Show how far each consumer group is behind."),
    "dlq": Entry("workers.cli.dlq.commands", "app", "Dead letters: list, look at, replay and drop refused events."),
    "subscribers": Entry(
        "workers.cli.subscribers.commands", "app", "Who agreed to mail: list, look up, import, suppress, export."
    ),
    "newsletter": Entry(
        "workers.cli.newsletter.commands",
        "app",
        "Issues: begin, look at, test, schedule, send, follow, pause and cancel them.",
    ),
    "mail": Entry("workers.cli.mail.commands", "app", "Mails: what became of each, send again, signing keys, a test."),
    "postbox": Entry("workers.cli.postbox.commands", "app", "Mails to the shop: list, read, mark as done."),
    "policy": Entry("workers.cli.policy.commands", "app", "The policy: its versions, what changed, publishing one."),
    "keys": Entry(
        "workers.cli.keys.commands", "app", "Key epochs: which wraps data keys, which are destroyed, rotating."
    ),
    "restore": Entry(
        "workers.cli.restore", "restore", "After a backup of the database was restored: replay what happened since."
    ),
    "stores": Entry("workers.cli.stores.commands", "app", "Stores downstream: what waits, whether each works, keys."),
    "requests": Entry(
        "workers.cli.requests.commands", "app", "Requests of people: open one, see where each stands, decide."
    ),
    "certificate": Entry("workers.cli.certificate.commands", "app", "Certificates of erasure: show, verify, key."),
    "scan": Entry("workers.cli.scan", "scan", "Look for what should be gone, in every file and every form."),
    "doctor": Entry("workers.cli.doctor.command", "doctor", "Check settings, Kafka, PostgreSQL, keyring and carriers."),
}


def load(name: str) -> TyperCommand | TyperGroup:
    """The command itself, imported now."""
    entry = COMMANDS[name]
    target = getattr(importlib.import_module(entry.module), entry.attribute)
    if not isinstance(target, typer.Typer):
        function, target = target, typer.Typer(add_completion=False)
        target.command(name)(function)
    command = typer.main.get_command(target)
    assert isinstance(command, TyperCommand | TyperGroup)
    command.name = name
    return command


class Commands(TyperGroup):
    """Imports a command when it is run; the overview is printed from `COMMANDS` alone.

    `ctx` is click's context, which Typer has under a name of its own that changes between versions.
    """

    _overview = False

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:
        """A stand-in with one line of help while the overview is printed."""
        if cmd_name not in COMMANDS:
            return None
        if self._overview:
            return TyperCommand(cmd_name, help=COMMANDS[cmd_name].summary)
        return load(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The overview."""
        self._overview = True
        super().format_help(ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error becomes one line on standard error and an exit code."""
        try:
            return super().invoke(ctx)
        except (Exception, KeyboardInterrupt) as error:
            if failures.is_for_the_parser(error):
                raise
            raise typer.Exit(failures.report(error, debug=bool(ctx.params.get("debug")))) from None


app = typer.Typer(
    cls=Commands,
    add_completion=True,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        try:
            typer.echo(f"lethe {metadata.version(_DISTRIBUTION)}")
        except metadata.PackageNotFoundError:
            typer.echo("lethe, run from a checkout that is not installed")
        raise typer.Exit


@app.callback()
def lethe(
    debug: Annotated[
        bool, typer.Option("--debug", help="On an error, also print where in the code it happened.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Lethe sends each carrier the address it needs and nothing else, and forgets it when it must.

    Settings come from environment variables LETHE_… and from lethe.toml; `lethe doctor` shows those in force.

    Example: lethe demo
    """
    # Libraries log what is about to be raised as well; one line is enough. A worker configures its own logs.
    logging.getLogger().addHandler(logging.NullHandler())


def main() -> None:
    """The console script."""
    app(prog_name="lethe")
