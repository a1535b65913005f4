"""What the demo proves of mails: each claim is checked against the mails that were received."""

import re
from collections import Counter

from workers.cli.demo.checks import Check
from workers.cli.demo.letters import VISITOR, MailRun

_SIGNED = re.compile(r"\bh=([^;]+)")
_ONE_CLICK = frozenset(("list-unsubscribe", "list-unsubscribe-post"))


def check(run: MailRun) -> list[Check]:
    """Every claim, judged."""
    everybody = {one.email for one in run.readers} | {VISITOR}
    return [
        _double_opt_in(run),
        _reached("the issue reached everybody who agreed, once each, and nobody else", run.sent[0], everybody),
        _one_click(run),
        _reached(
            "the next issue left out who had left, and reached everybody else once",
            run.sent[1],
            everybody - {run.left},
        ),
    ]


def _double_opt_in(run: MailRun) -> Check:
    problem = "" if run.consented == (0, 0, 1) else f"before, after opening, after confirming: {run.consented}"
    return Check("neither a sign-up nor opening its link began anything; the button did", problem)


def _reached(claim: str, received: Counter[str], wanted: set[str]) -> Check:
    twice = sum(count > 1 for count in received.values())
    missing, others = len(wanted - received.keys()), len(received.keys() - wanted)
    wrong = {"missing": missing, "twice": twice, "not meant": others}
    return Check(claim, ", ".join(f"{count} {what}" for what, count in wrong.items() if count))


def _one_click(run: MailRun) -> Check:
    signed = [
        {name.strip().lower() for name in found[1].split(":")}
        for value in run.issue_mail.get_all("DKIM-Signature", [])
        if (found := _SIGNED.search(str(value))) is not None
    ]
    covered = bool(signed) and all(names >= _ONE_CLICK for names in signed)
    return Check("the mail's signatures cover what unsubscribes by one click", "" if covered else "they do not")
