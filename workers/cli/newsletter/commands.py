"""The commands of `lethe newsletter`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="Issues: begin, look at, test, schedule, send, follow, pause and cancel them."
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The issue's name, such as 2026-48.")]
Folder = Annotated[Path, typer.Option("--dir", help="Where the issue's files are: NAME.en.md, NAME.fr.md.")]
_FOLDER = Path("deploy/newsletters")


@app.command("new")
def new_command(
    name: Name,
    folder: Folder = _FOLDER,
    purpose: Annotated[str, typer.Option("--purpose", help="What its readers agreed to.")] = "newsletter",
) -> None:
    """Begin an issue: a file for each language, with a front matter and some text to replace.

    Example: lethe newsletter new 2026-48
    """
    from workers.cli.newsletter import drafts

    for file in drafts.begin(folder, name, purpose):
        typer.echo(file)


@app.command("preview")
def preview_command(
    name: Name,
    folder: Folder = _FOLDER,
    out: Annotated[Path, typer.Option("--out", help="Where the files are written.")] = Path(".lethe/preview"),
    show: Annotated[
        bool | None, typer.Option("--open/--no-open", help="Open the pages in a browser; the default on a terminal.")
    ] = None,
) -> None:
    """Write each language as it is received: HTML, text, and the whole mail. Nothing is sent.

    Example: lethe newsletter preview 2026-48
    """
    from workers.cli.newsletter import drafts

    for one in drafts.preview(folder, name, out):
        typer.echo(f"{one.language}: {one.subject} ({one.size_bytes / 1000:.1f} kB)")
        for file in (one.page, *one.others):
            typer.echo(f"  {file}")
        if one.is_clipped:
            typer.echo("  its HTML is over 102 kB: some mail programs show only its beginning", err=True)
        if sys.stdout.isatty() if show is None else show:
            typer.launch(str(one.page.resolve()))


@app.command("test")
def send_test_command(
    name: Name,
    to: Annotated[list[str], typer.Option("--to", help="A mailbox of your own; may be repeated.")],
    folder: Folder = _FOLDER,
) -> None:
    """Send each language to a mailbox of your own, now. Its links work for nobody, and it is not in the ledger.

    Example: lethe newsletter test 2026-48 --to me@shop.example
    """
    from workers.cli.newsletter import drafts

    for line in drafts.send_test(folder, name, to):
        typer.echo(line)


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

    typer.echo(actions.schedule(actions.draft(folder, name), at))


@app.command("send")
def send_command(
    name: Name,
    folder: Folder = _FOLDER,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Stay until it is sent.")] = True,
) -> None:
    """Send an issue now, also one that was scheduled for later, and show how far it is.

    Ending this command does not end the sending: that is `lethe newsletter pause` or `cancel`.

    Example: lethe newsletter send 2026-48
    """
    from workers.cli.newsletter import actions

    draft = actions.draft(folder, name)
    if not yes:
        typer.confirm(f"{draft}, now?", abort=True, err=True)
    actions.send(draft)
    _follow(name, follow)


@app.command("ls")
def list_command(limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 20) -> None:
    """List issues, the latest first.

    Example: lethe newsletter ls
    """
    from workers.cli.newsletter import actions

    for line in actions.listed(limit):
        typer.echo(line)


@app.command("show")
def show_command(
    name: Name, watch: Annotated[bool, typer.Option("--watch", help="Stay until it is sent.")] = False
) -> None:
    """Show how far an issue is: mails by state, and those of which nobody can know whether they arrived.

    Example: lethe newsletter show 2026-48 --watch
    """
    _follow(name, watch)


@app.command("pause")
def pause_command(name: Name) -> None:
    """Stop sending an issue for now: once this command has returned, no mail of it begins.

    Example: lethe newsletter pause 2026-48
    """
    from workers.cli.newsletter import actions

    typer.echo(actions.changed(name, "paused"))


@app.command("resume")
def resume_command(name: Name) -> None:
    """Go on with a paused issue, where it stopped; before its time it waits for it.

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


def _follow(name: str, until_sent: bool) -> None:
    from workers.cli.newsletter import actions

    if until_sent:
        actions.follow(name)
    for line in actions.shown(name):
        typer.echo(line)
