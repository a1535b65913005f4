"""`lethe mail`: what was written to people and what became of it. The work is in `actions`."""

import asyncio
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Mails to people: what became of each, the signing keys, a test.")
MailId = Annotated[int, typer.Argument(metavar="ID", min=1, help="The mail's number, as `lethe mail ls` shows it.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]


@app.command("ls")
def list_command(
    state: Annotated[
        str | None, typer.Option("--state", help="intent, claimed, unknown, sent, failed or cancelled.")
    ] = None,
    template: Annotated[str | None, typer.Option("--template", help="Only this kind of mail.")] = None,
    totals: Annotated[bool, typer.Option("--totals", help="How many of each kind and state instead.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    json_lines: Json = False,
) -> None:
    """List mails, the latest first: what kind, its state, when, and why not. Never to whom.

    Example: lethe mail ls --state failed
    """
    from workers.cli.mail import actions, output

    if totals:
        output.print_totals(asyncio.run(actions.totals()), json_lines)
        return
    rows = asyncio.run(actions.listed(state, template, limit + 1))
    output.print_list(rows[:limit], more=len(rows) > limit, json_lines=json_lines)


@app.command("show")
def show_command(
    mail_id: MailId,
    letter: Annotated[
        bool, typer.Option("--letter", help="Also open it: to whom and what it says. Personal data is shown to you.")
    ] = False,
    json_lines: Json = False,
) -> None:
    """Show one mail: state, attempts, the mail server's answer.

    Example: lethe mail show 1042
    """
    from workers.cli.mail import actions, output

    mail = asyncio.run(actions.found(mail_id))
    output.print_mail(mail, json_lines)
    if letter:
        opened = asyncio.run(actions.letter_of(mail))
        typer.echo(
            "Personal data follows. Showing it to you is a disclosure: look only as far as your task needs it, and "
            "keep no copy.",
            err=True,
        )
        output.print_letter(opened)


@app.command("retry")
def retry_command(
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID]…", help="Numbers of failed mails.")] = None,
    all_failed: Annotated[bool, typer.Option("--all", help="Every failed mail that can be sent again.")] = False,
) -> None:
    """Send failed mails again from their first attempt on, after their cause was mended.

    Mails that must be said, up to 30 days back. Marketing is never repeated by hand: the next issue is the next one.
    Exits with 1 unless all that were named go again.

    Example: lethe mail retry 1042
    """
    from workers.cli.mail import actions

    again, refused = asyncio.run(actions.retry(ids or [], all_failed))
    typer.echo(f"{len(again)} will be sent again")
    for mail_id, why in refused.items():
        typer.echo(f"{mail_id}  not again: {why}", err=True)
    if refused:
        raise typer.Exit(1)


@app.command("keys")
def keys_command() -> None:
    """Make the DKIM keys that are missing, and print the DNS records that let receivers check them.

    Keys that are there are kept. To change them, choose another LETHE_DKIM_SELECTOR and directory, publish the new
    records, then start the mailer with both.

    Example: lethe mail keys
    """
    from workers.cli.mail import actions

    for line in actions.records():
        typer.echo(line)


@app.command("test")
def try_command(
    to: Annotated[str, typer.Option("--to", help="An address of your own.")],
    language: Annotated[str, typer.Option("--language", help="en or fr.")] = "en",
) -> None:
    """Send one mail the way all mails go, signed, and say what the mail server answered. It is not in the ledger.

    Example: lethe mail test --to me@example.com
    """
    from workers.cli.mail import actions

    typer.echo(asyncio.run(actions.send_test(to, language)))
