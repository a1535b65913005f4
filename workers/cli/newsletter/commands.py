"""The commands of `lethe newsletter`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Issues: write, look at, schedule, follow, pause and cancel them.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="The issue's name, such as 2026-48.")]
Folder = Annotated[Path, typer.Option("--dir", help="Where the issue's files are: NAME.en.md, NAME.fr.md.")]
_FOLDER = Path("deploy/newsletters")


@app.command("preview")
def preview_command(
    name: Name,
    folder: Folder = _FOLDER,
    out: Annotated[Path, typer.Option("--out", help="Where the pages and texts are written.")] = Path(".lethe/preview"),
) -> None:
    """Write HTML and text of each language as they are received, and print where.

    Example: lethe newsletter preview 2026-48
    """
    from workers.cli.newsletter import actions

    for file in actions.preview(folder, name, out):
        typer.echo(file)


@app.command("schedule")
def schedule_command(
    name: Name,
    folder: Folder = _FOLDER,
    at: Annotated[
        str | None,
        typer.Option("--at", help="Such as '2026-12-01 09:00', in the shop's time zone; else the next slot."),
    ] = None,
) -> None:
    """Schedule an issue; before it has begun, doing so again changes its content and time.

    Example: lethe newsletter schedule 2026-48 --at '2026-12-01 09:00'
    """
    from workers.cli.newsletter import actions

    typer.echo(actions.schedule(folder, name, at))


@app.command("ls")
def list_command(limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 20) -> None:
    """List issues, the latest first.

    Example: lethe newsletter ls
    """
    from workers.cli.newsletter import actions

    for line in actions.listed(limit):
        typer.echo(line)


@app.command("show")
def show_command(name: Name) -> None:
    """Show how far an issue is: mails by state, and those of which nobody can know whether they arrived.

    Example: lethe newsletter show 2026-48
    """
    from workers.cli.newsletter import actions

    for line in actions.shown(name):
        typer.echo(line)


@app.command("pause")
def pause_command(name: Name) -> None:
    """Stop sending an issue for now; what is in a sender's hands (some dozens of mails) still goes.

    Example: lethe newsletter pause 2026-48
    """
    from workers.cli.newsletter import actions

    typer.echo(actions.changed(name, "paused"))


@app.command("resume")
def resume_command(name: Name) -> None:
    """Go on with a paused issue.

    Example: lethe newsletter resume 2026-48
    """
    from workers.cli.newsletter import actions

    typer.echo(actions.changed(name, "sending"))


@app.command("cancel")
def cancel_command(name: Name) -> None:
    """Give up an issue: whoever has not got it will not.

    Example: lethe newsletter cancel 2026-48
    """
    from workers.cli.newsletter import actions

    typer.echo(actions.changed(name, "cancelled"))
