"""The commands of `lethe subscribers`."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    import asyncpg

    from workers.consent.desk import ConsentDesk

app = typer.Typer(no_args_is_help=True, help="Who agreed to mail, to what, since when; imports and suppressions.")
T = TypeVar("T")
Purpose = Annotated[str | None, typer.Option("--purpose", help="Only this purpose.")]
Status = Annotated[str | None, typer.Option("--status", help="Only this status, such as ConsentGiven.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]
Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The address, in any spelling.")]


@app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="CSV in UTF-8 with a header line.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would become of each line.")] = False,
) -> None:
    """Import consent that was given elsewhere. Each line needs what shows it; a refused one is named with the reason.

    Columns: email, purpose, consented_at, collection_method, privacy_notice, language; of confirmed_at (where the
    purpose needs a double opt-in), wording, location, source_address, reference what there is. Nobody is mailed. Who
    has unsubscribed stays unsubscribed. Importing a file twice is harmless. Exits with 1 when a line was refused.

    Example: lethe subscribers import list.csv --dry-run
    """
    from workers.cli.subscribers import actions

    refused = _with_desk(lambda db, desk: actions.import_file(db, desk, file, dry_run))
    if refused:
        raise typer.Exit(1)


@app.command("ls")
def list_command(
    purpose: Purpose = None,
    status: Status = None,
    emails: Annotated[bool, typer.Option("--emails", help="Also open the addresses: personal data.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    json_lines: Json = False,
) -> None:
    """List consent records: whose (by number), for what, their status, since when and until when.

    Example: lethe subscribers ls --purpose newsletter --status ConsentGiven
    """
    from workers.cli.subscribers import output

    rows = _with_desk(lambda db, desk: output.collect(db, desk, purpose, status, limit + 1))
    output.print_list(rows[:limit], emails, more=len(rows) > limit, json_lines=json_lines)


@app.command("show")
def show_command(
    email: Email,
    evidence: Annotated[bool, typer.Option("--evidence", help="Also what shows each event: personal data.")] = False,
) -> None:
    """Show everything about one address: its consents, their history, whether and why it is suppressed.

    Example: lethe subscribers show erika@example.com
    """
    from workers.cli.subscribers import output

    found = _with_desk(lambda db, desk: output.look_up(db, desk, email))
    output.print_one(found, evidence)


@app.command("suppress")
def suppress_command(
    email: Email,
    purpose: Annotated[str, typer.Option("--purpose", help="One purpose; * is all that need consent.")] = "*",
    objection: Annotated[
        bool, typer.Option("--objection", help="The person objected (GDPR 21): only they can undo it.")
    ] = False,
) -> None:
    """Record that a person said no. In force at once, for addresses that Lethe does not know as well.

    Example: lethe subscribers suppress erika@example.com
    """
    from workers.cli.subscribers import actions

    _with_desk(lambda db, desk: actions.suppress(db, desk, email, purpose, objection))


@app.command("export")
def export_command(
    file: Annotated[Path, typer.Argument(help="CSV to write; it must not exist. - is standard output.")],
    purpose: Purpose = None,
) -> None:
    """Write who may be written to as CSV, addresses in the clear, in the columns that `import` reads.

    Example: lethe subscribers export newsletter.csv --purpose newsletter
    """
    from workers.cli.subscribers import actions

    _with_desk(lambda db, desk: actions.export(db, desk, file, purpose))


def _with_desk(work: "Callable[[asyncpg.Connection, ConsentDesk], Awaitable[T]]") -> T:
    from workers import purposes
    from workers import settings as settings_module
    from workers.cli import connections
    from workers.consent.desk import ConsentDesk
    from workers.db import migrate
    from workers.mail.desk import MailDesk
    from workers.vault import keyring as keyrings
    from workers.vault.subjects import SubjectVault

    settings = settings_module.load()
    keyring = keyrings.load(settings.keyring_dir)
    desk = ConsentDesk(SubjectVault(keyring), keyring, purposes.load(settings.purposes_file), MailDesk(), settings)

    async def run() -> T:
        async with connections.database(settings) as connection:
            await migrate.check(connection)
            return await work(connection, desk)

    return asyncio.run(run())
