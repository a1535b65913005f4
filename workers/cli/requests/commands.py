"""The commands of `lethe requests`."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Requests of people: open one, see where each stands, decide.")

Json = Annotated[bool, typer.Option("--json", help="JSON instead of text, an object a line.")]
Number = Annotated[str, typer.Argument(metavar="REQUEST", help="The request's number, or its beginning.")]
Because = Annotated[str, typer.Option("--because", help="Why, in words; kept with the request. Nothing personal.")]


@app.command("new")
def new_command(
    because: Because,
    email: Annotated[list[str] | None, typer.Option("--email", help="An address of the person.")] = None,
    customer_ref: Annotated[list[str] | None, typer.Option("--customer-ref", help="How orders are keyed.")] = None,
    language: Annotated[str, typer.Option(help="The language in which the person is answered.")] = "en",
) -> None:
    """Open an erasure for a person whose identity you have established yourself.

    Example: lethe requests new --customer-ref c-77 --because "letter of 3 March, identity card seen"
    """
    from workers.cli.requests import actions

    actions.new(email or [], customer_ref or [], language, because)


@app.command("ls")
def list_command(
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Ended ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: Json = False,
) -> None:
    """List requests, those first whose legal deadline comes first.

    Example: lethe requests ls --state on_hold
    """
    from workers.cli.requests import actions

    actions.print_list(state, all_ or state is not None, limit, as_json)


@app.command("show")
def show_command(request: Number, as_json: Json = False) -> None:
    """Show one request: its history, what each store has confirmed, what it waits for.

    Example: lethe requests show 7f6f1c2e
    """
    from workers.cli.requests import actions

    actions.show(request, as_json)


@app.command("verify")
def verify_command(request: Number, because: Because) -> None:
    """Say that you have established the person's identity; the erasure begins.

    Example: lethe requests verify 7f6f1c2e --because "called back under the number on file"
    """
    from workers.cli.requests import actions

    actions.verify(request, because)


@app.command("refuse")
def refuse_command(
    request: Number,
    reason: Annotated[str, typer.Option(help="A reason of the Data Rights Protocol, such as no_match.")],
    because: Because,
) -> None:
    """Refuse a request, as long as nothing was erased. The person is told, with the remedies (GDPR 12(4)).

    Example: lethe requests refuse 7f6f1c2e --reason suspected_fraud --because "address on file differs"
    """
    from workers.cli.requests import actions

    actions.refuse(request, reason, because)


@app.command("hold")
def hold_command(request: Number, because: Because) -> None:
    """Suspend a request on a legal ground (GDPR 17(3)(b), (e)), as long as nothing was erased.

    Example: lethe requests hold 7f6f1c2e --because "claim 2026/113 is open"
    """
    from workers.cli.requests import actions

    actions.hold(request, because)


@app.command("release")
def release_command(request: Number, because: Because) -> None:
    """End a hold; the erasure begins, open orders or not.

    Example: lethe requests release 7f6f1c2e --because "claim settled"
    """
    from workers.cli.requests import actions

    actions.release(request, because)


@app.command("retry")
def retry_command(request: Number) -> None:
    """Ask the stores again that have not confirmed, also those of a request that was completed in part.

    Example: lethe requests retry 7f6f1c2e
    """
    from workers.cli.requests import actions

    actions.retry(request)
