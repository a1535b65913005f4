"""The demo's account of its mails, for reading."""

from collections.abc import Iterable
from email.message import EmailMessage

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from workers.cli.demo import account
from workers.cli.demo.letters import ISSUES, VISITOR, MailRun

_SHOWN = ("From", "To", "Subject", "List-Unsubscribe", "List-Unsubscribe-Post")


def letters(run: MailRun) -> RenderableType:
    """The confirmation mail, one mail of the issue, and how many each issue reached."""
    return Group(
        "[bold]A sign-up[/bold]: the mail that asks whether it was really that person (invented, like all of them)",
        mail(run.confirmation),
        "[bold]An issue[/bold], as one reader got it; its header is what a mail program's button uses",
        mail(run.issue_mail),
        _issues(run),
    )


def mail(one: EmailMessage) -> Panel:
    """A mail as its reader has it."""
    lines = [f"[dim]{name}:[/dim] {escape(' '.join(str(one[name]).split()))}" for name in _SHOWN if one[name]]
    body = one.get_body(("plain",))
    text = "" if body is None else str(body.get_content()).strip()
    return Panel("\n".join([*lines, "", escape(text)]), width=100)


def _issues(run: MailRun) -> Table:
    table = account.table("issue", ">mails", ">people", "who signed up", "who left by one click")
    for name, sent in zip(ISSUES, run.sent, strict=True):
        got = ["got it" if sent[who] else "[yellow]left out[/yellow]" for who in (VISITOR, run.left)]
        table.add_row(name, *_counts(sent.values()), *got)
    return table


def _counts(times: Iterable[int]) -> tuple[str, str]:
    counted = list(times)
    return str(sum(counted)), str(len(counted))
