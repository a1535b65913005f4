"""The commands of `lethe keys`."""

import typer

app = typer.Typer(no_args_is_help=True, help="Key epochs: which wraps data keys, which are destroyed, rotating.")


@app.command("rotate")
def rotate_command() -> None:
    """Make a new key epoch, wrap every data key under it, destroy the old one. Workers go on meanwhile.

    From then on nothing that was deleted before can be read in old copies: dead tuples, WAL, replicas, backups. May be
    interrupted and run again at any moment.

    Example: lethe keys rotate
    """
    from workers.cli.keys import actions

    typer.echo(actions.rotate())


@app.command("status")
def status_command() -> None:
    """Show every key epoch, and how many data keys it wraps.

    Example: lethe keys status
    """
    from workers.cli.keys import actions

    for line in actions.status():
        typer.echo(line)
