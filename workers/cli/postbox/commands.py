"""The commands of `lethe postbox`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Mails to the shop: list, read, mark as done.")
Numbers = Annotated[list[int], typer.Argument(metavar="NUMBER…", help="Numbers as `lethe postbox ls` shows them.")]


@app.command("ls")
def list_command(
    state: Annotated[str, typer.Option("--state", help="received, sorted, for_person, done, or any.")] = "for_person",
    flow: Annotated[str | None, typer.Option("--flow", help="Only this flow, such as question or bounce.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """List mails, the newest first: those that wait for a person, unless told otherwise. Opens none of them.

    Example: lethe postbox ls --state any --flow bounce
    """
    from workers.cli.postbox import actions

    actions.print_list(state, flow, limit, json_lines)


@app.command("show")
def show_command(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The mail's number.")],
    eml: Annotated[
        Path | None, typer.Option("--eml", help="Write the whole mail to this new file, attachments and all.")
    ] = None,
) -> None:
    """Read one mail: what became of it, its headers, its text. Personal data is shown.

    Example: lethe postbox show 17 --eml mail.eml
    """
    from workers.cli.postbox import actions

    actions.show(number, eml)


@app.command("done")
def done_command(numbers: Numbers) -> None:
    """Mark mails as dealt with; their copies are deleted after LETHE_POSTBOX_KEPT_DAYS.

    Example: lethe postbox done 17 18
    """
    from workers.cli.postbox import actions

    actions.change(numbers, again=False)


@app.command("sort")
def sort_command(numbers: Numbers) -> None:
    """Have mails that wait for a person sorted once more, after a fault was mended.

    Example: lethe postbox sort 17
    """
    from workers.cli.postbox import actions

    actions.change(numbers, again=True)
