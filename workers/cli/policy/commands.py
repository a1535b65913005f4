"""The commands of `lethe policy`."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The policy: its versions, what changed, publishing one.")
Version = Annotated[str, typer.Argument(metavar="VERSION", help="Such as 2026-01.")]
Language = Annotated[str, typer.Option("--language", "-l", help="en or fr.")]


@app.command("ls")
def list_command(language: Language = "en") -> None:
    """List the versions in LETHE_POLICIES_DIR: when they apply, whether people were told, how many.

    Example: lethe policy ls
    """
    from workers.cli.policy import actions

    for line in actions.listed(language):
        typer.echo(line)


@app.command("show")
def show_command(version: Version, language: Language = "en") -> None:
    """Print one version as it is written.

    Example: lethe policy show 2026-01 --language fr
    """
    from workers.cli.policy import actions

    typer.echo(actions.find(version, language).text)


@app.command("diff")
def diff_command(version: Version, language: Language = "en") -> None:
    """Print what changed from the version before: [-left out-] and {+added+}.

    Example: lethe policy diff 2027-01
    """
    from workers.cli.policy import actions

    for line in actions.difference(version, language):
        typer.echo(line)


@app.command("publish")
def publish_command(
    version: Version,
    late: Annotated[
        bool, typer.Option("--late", help="Publish although fewer days are left than people are promised.")
    ] = False,
) -> None:
    """Publish a version on the topic `policies`; a material one is announced to everybody once, by mail.

    Publishing it again is harmless. What was published cannot be changed: correct it in a new version.

    Example: lethe policy publish 2027-01
    """
    from workers.cli.policy import actions

    typer.echo(actions.publish(version, late))
