"""The commands of `lethe stores`."""

import asyncio
import json
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Stores downstream: what waits for each, whether it works, its keys.")
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line instead of text.")]


@app.command("ls")
def list_command(as_json: Json = False) -> None:
    """List the stores in LETHE_STORES_DIR: kind, tasks that wait, and what is wrong.

    Example: lethe stores ls
    """
    from workers import settings
    from workers.cli.stores import actions

    for line in asyncio.run(actions.listed(settings.load())):
        kind = line.store.kind if line.store else "-"
        if as_json:
            fields = {
                "store": line.name,
                "kind": kind,
                "waiting": line.waiting,
                "state": line.state,
                "well": line.is_well,
            }
            typer.echo(json.dumps(fields))
        else:
            typer.secho(f"{line.name:<20} {kind:<11} {line.waiting:>6} waiting  {line.state}",
                        fg=None if line.is_well else "red")  # fmt: skip


@app.command("check")
def check_command(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[STORE]...", help="None: those that are enabled.")
    ] = None,
) -> None:
    """Reach stores and compare each with its file; nothing is changed there. Exit code 1 when one is not well.

    Example: lethe stores check webshop
    """
    from workers import settings
    from workers.cli.stores import actions

    async def run() -> bool:
        well = True
        async for name, is_well, lines in actions.checked(settings.load(), names or []):
            well = well and is_well
            for line in lines:
                typer.secho(f"{name:<20} {line}", fg=None if is_well else "red")
        return well

    if not asyncio.run(run()):
        raise typer.Exit(1)


@app.command("keys")
def keys_command(
    new: Annotated[
        bool, typer.Option("--new", help="Print a fresh private key (JWK) for an external system, and keep nothing.")
    ] = False,
) -> None:
    """Make the private keys of stores that have none, in the keyring; print every store's public key.

    What goes to a store is sealed to its public key. An external system keeps its private key itself and gives the
    public one (`x` of the JWK) for its file.

    Example: lethe stores keys
    """
    from workers import settings
    from workers.cli.stores import actions

    if new:
        typer.echo(json.dumps(actions.new_key()))
        return
    made, public = actions.keys(settings.load())
    for name, key in public:
        typer.echo(f"{name:<20} {key}{'  created now: back up the keyring' if name in made else ''}")
