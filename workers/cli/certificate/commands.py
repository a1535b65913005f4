"""The commands of `lethe certificate`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Certificates of erasure: show, verify, the public key.")


@app.command("show")
def show_command(
    certificate: Annotated[str, typer.Argument(help="Its number, or the beginning of its request's number.")],
    as_json: Annotated[bool, typer.Option("--json", help="The signed document itself.")] = False,
    page: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write it as a page for people.")] = None,
    pdf: Annotated[Path | None, typer.Option("--pdf", metavar="FILE", help="Write it as a PDF for people.")] = None,
    language: Annotated[str, typer.Option("--language", "-l", help="en or fr, of page and PDF.")] = "en",
) -> None:
    """Show what was erased where: in words, as the signed document, as a page or as a PDF.

    Example: lethe certificate show 17 --json > certificate-17.json
    """
    from workers.cli.certificate import actions

    found = actions.find(certificate)
    if as_json:
        typer.echo(found.document.decode())
    elif page is None and pdf is None:
        actions.show(found)
    actions.write(found, page, pdf, language)


@app.command("verify")
def verify_command(
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="A document, or one a line.")] = None,
    chain: Annotated[bool, typer.Option("--chain", help="The whole chain in the database, to its head.")] = False,
    key: Annotated[Path | None, typer.Option(help="A public key in PEM instead of the keyring's: offline.")] = None,
) -> None:
    """Check signatures, hashes and the chain. Exit code 1 where something was changed, removed, inserted or moved.

    Files with --chain are also looked for in the chain: certificates that others keep show that it is the same one.

    Example: lethe certificate verify certificate-17.json --key certificates.pem
    """
    from workers.cli.certificate import actions

    if not actions.verify(files or [], chain, key):
        raise typer.Exit(1)


@app.command("key")
def key_command() -> None:
    """Print the public key that certificates are verified with, in PEM.

    Example: lethe certificate key > certificates.pem
    """
    from workers.cli.certificate import actions

    typer.echo(actions.key(), nl=False)
