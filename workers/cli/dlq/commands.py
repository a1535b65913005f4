"""`lethe dlq`: refused events. `workers.engine.dead_letters` does the work; here it is asked for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    import asyncpg

    from workers.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Dead letters: events that were refused, parked sealed with the reason.")
T = TypeVar("T")
Code = Annotated[str | None, typer.Option("--code", help="Only this refusal code.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="Ids, or their beginnings.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]


@app.command("ls")
def list_command(
    code: Code = None,
    state: Annotated[
        str, typer.Option("--state", help="parked, replaying, replayed, dropped, expired, or any.")
    ] = "parked",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    json_lines: Json = False,
) -> None:
    """List refused events, oldest first: what is wrong, where each came from, when it expires. Never what is in them.

    Example: lethe dlq ls --code address_incomplete
    """
    from workers.cli.dlq import output
    from workers.engine import dead_letters

    wanted = output.state(state)
    letters = _with_database(lambda db, _: dead_letters.find_all(db, code, wanted, None, limit + 1))
    output.print_list(letters[:limit], _max_age_s(), more=len(letters) > limit, json_lines=json_lines)


@app.command("show")
def show_command(
    dead_letter_id: Annotated[str, typer.Argument(metavar="ID", help="The id, or the beginning of it.")],
    body: Annotated[
        bool, typer.Option("--body", help="Also open the sealed event: personal data is shown, and that is recorded.")
    ] = False,
    ground: Annotated[
        str, typer.Option("--ground", help="Why: technical-error, fraud, security, law or legal-claim.")
    ] = "technical-error",
    json_lines: Json = False,
) -> None:
    """Show one refused event: the reason, where it came from, what has been tried.

    With --body the disclosure ledger keeps who was shown it (your operating system user), when and on which ground.

    Example: lethe dlq show 3f2c9a10
    """
    from workers import clock
    from workers.cli.dlq import output, staff
    from workers.engine import dead_letters
    from workers.vault import keyring

    why, who = output.ground(ground), staff.name()
    letter = _with_database(lambda db, _: dead_letters.find(db, dead_letter_id))
    output.print_letter(letter, _max_age_s(), json_lines)
    if body:
        record = _with_database(
            lambda db, settings: dead_letters.disclose_body(
                db, keyring.load(settings.keyring_dir), letter, who, why, clock.system_clock()
            )
        )
        typer.echo(
            f"Personal data follows. That you ({who}) were shown it, on the ground of {why}, is in the disclosure "
            "ledger: look only as far as your task needs it, and keep no copy.",
            err=True,
        )
        output.print_record(record)


@app.command("replay")
def replay_command(
    ids: Ids = None,
    all_parked: Annotated[bool, typer.Option("--all", help="Every parked event (with --code: of that code).")] = False,
    code: Code = None,
    wait_s: Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for the outcome.")] = 30.0,
) -> None:
    """Have refused events applied again, once each, after their cause was mended; says what became of each.

    The worker that refused them applies them. Exits with 1 unless all were applied.

    Example: lethe dlq replay --all --code unknown_carrier
    """
    from workers.cli.dlq import actions

    done = _with_database(lambda db, _: actions.replay(db, ids or [], all_parked, code, wait_s))
    if not done:
        raise typer.Exit(1)


@app.command("drop")
def drop_command(
    ids: Ids = None,
    all_parked: Annotated[bool, typer.Option("--all", help="Every parked event of --code.")] = False,
    code: Code = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Let refused events go for good: their sealed copies are deleted, the reasons stay listed. Asks first.

    Example: lethe dlq drop --all --code invalid_json
    """
    from workers.cli.dlq import actions

    _with_database(lambda db, _: actions.drop(db, ids or [], all_parked, code, yes))


def _max_age_s() -> int:
    from workers import settings

    return settings.load().dead_letter_max_age_s


def _with_database(work: "Callable[[asyncpg.Connection, Settings], Awaitable[T]]") -> T:
    from workers import settings as settings_module
    from workers.cli import connections
    from workers.db import migrate

    settings = settings_module.load()

    async def run() -> T:
        async with connections.database(settings) as connection:
            await migrate.check(connection)
            return await work(connection, settings)

    return asyncio.run(run())
