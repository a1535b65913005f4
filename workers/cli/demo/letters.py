"""The demo's mails on a running platform: a sign-up, an issue to many, one who leaves by one click, the next issue."""

import asyncio
import re
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import NamedTuple

import asyncpg

from workers import policies
from workers.cli import connections
from workers.cli.demo.mailbox import Arrived, Mailbox
from workers.cli.events import upstream
from workers.cli.local import pages
from workers.cli.local.embedded import ROOT
from workers.cli.local.steps import Steps
from workers.cli.newsletter import drafts
from workers.cli.samples import consents as sample_consents
from workers.cli.samples.consents import Reader
from workers.errors import LetheError
from workers.issues import book
from workers.mail.mime import Content
from workers.settings import Settings

PURPOSE = "newsletter"
VISITOR = "ada.visitor@example.org"
ISSUES = ("demo-1", "demo-2")
_NEXT_SUBJECTS = {"en": "And a week later", "fr": "Et une semaine plus tard"}
_CONFIRM = re.compile(r"https?://\S+/confirm/\S+")
_ONE_CLICK = re.compile(r"<(https?://[^>]+)>")
_POLL_S = 0.1
_PATIENCE_S = 60.0
_PAGE_TIMEOUT_S = 30.0


class MailRun(NamedTuple):
    """What happened. `consented` counts before the link was opened, after, and after its button; `sent` has the
    recipients of each issue, `left` who unsubscribed by the header of `issue_mail`."""

    readers: list[Reader]
    confirmation: EmailMessage
    consented: tuple[int, int, int]
    sent: tuple[Counter[str], Counter[str]]
    issue_mail: EmailMessage
    left: str


async def run(settings: Settings, count: int, seed: int, steps: Steps) -> MailRun:
    """`count` readers agreed at the shop and one more at the page. Raises LetheError when nothing moves any more."""
    assert settings.sink_dir is not None
    mailbox = Mailbox(settings.sink_dir)
    async with connections.database(settings) as connection:
        with steps.step("A visitor signs up on the page and confirms by the link in the mail"):
            confirmation, consented = await _sign_up(settings, connection, mailbox)
        with steps.step(f"{count} customers agreed at the shop: their events become the list"):
            readers = await _agree(settings, connection, count, seed)
        contents = drafts.rendered(settings, ROOT / "deploy" / "newsletters", "example")[1]
        with steps.step(f"An issue goes to all {count + 1}"):
            first = await _issue(connection, mailbox, ISSUES[0], contents)
        with steps.step("One of them unsubscribes by one click, the next issue goes out"):
            issue_mail = _one_of(first, readers).opened()
            left = str(issue_mail["To"])
            await _unsubscribe(issue_mail)
            second = await _issue(connection, mailbox, ISSUES[1], _next(contents))
    sent = (Counter(one.to for one in first), Counter(one.to for one in second))
    return MailRun(readers, confirmation, consented, sent, issue_mail, left)


async def _sign_up(
    settings: Settings, connection: asyncpg.Connection, mailbox: Mailbox
) -> tuple[EmailMessage, tuple[int, int, int]]:
    form = {"email": VISITOR, f"purpose.{PURPOSE}": "yes"}
    await asyncio.to_thread(pages.post, f"{settings.public_url}/en/subscribe", form, _PAGE_TIMEOUT_S)
    mail = (await mailbox.wait_for(VISITOR)).opened()
    link = _CONFIRM.search(_text(mail))
    if link is None:
        raise LetheError("the confirmation mail has no link")
    before = await _consented(connection)
    await asyncio.to_thread(pages.get, link[0], _PAGE_TIMEOUT_S)
    looked = await _consented(connection)
    await asyncio.to_thread(pages.post, link[0], {}, _PAGE_TIMEOUT_S)
    return mail, (before, looked, await _consented(connection))


async def _agree(settings: Settings, connection: asyncpg.Connection, count: int, seed: int) -> list[Reader]:
    now = datetime.now(UTC)
    notice = policies.load(settings.policies_dir, settings.time_zone).version_at(now)
    readers = sample_consents.readers(count, seed)
    events = sample_consents.consents(readers, PURPOSE, notice, now - timedelta(hours=1))
    records = (upstream.Outgoing(event.key, event.headers, event.value) for event in events)
    await upstream.publish(settings, settings.topic(sample_consents.TOPIC), records)
    wanted, seen, moved_s = count + 1, 0, time.monotonic()
    while (now_seen := await _consented(connection)) < wanted:
        seen, moved_s = _progress(seen, now_seen, moved_s, f"{now_seen} of {wanted} are on the list")
        await asyncio.sleep(_POLL_S)
    return readers


async def _issue(
    connection: asyncpg.Connection, mailbox: Mailbox, name: str, contents: dict[str, Content]
) -> list[Arrived]:
    """Send it now; the mails of it that came, once it is sent."""
    mailbox.look()
    now = datetime.now(UTC)
    issue_id = await book.schedule(connection, name, PURPOSE, contents, now, now)
    sent, moved_s = 0, time.monotonic()
    while (await book.find(connection, name)).state != "sent":
        now_sent = (await book.progress(connection, issue_id)).get("sent", 0)
        sent, moved_s = _progress(sent, now_sent, moved_s, f"{now_sent} mails of {name} were sent")
        await asyncio.sleep(_POLL_S)
    return [one for one in mailbox.look() if one.is_issue]


async def _unsubscribe(mail: EmailMessage) -> None:
    """As mail programs do it (RFC 8058): a POST to the address in the header, without any page."""
    url = _ONE_CLICK.search(str(mail["List-Unsubscribe"]))
    if url is None:
        raise LetheError("the mail has no address to unsubscribe by one click")
    field, _, value = str(mail["List-Unsubscribe-Post"]).partition("=")
    await asyncio.to_thread(pages.post, url[1], {field: value}, _PAGE_TIMEOUT_S)


def _one_of(mails: list[Arrived], readers: list[Reader]) -> Arrived:
    """The mail of somebody in the middle of the list, not the visitor's."""
    wanted = readers[len(readers) // 2].email
    found = next((one for one in mails if one.to == wanted), None)
    if found is None:
        raise LetheError("the issue did not reach the reader in the middle of the list")
    return found


def _next(contents: dict[str, Content]) -> dict[str, Content]:
    return {
        language: content._replace(subject=_NEXT_SUBJECTS.get(language, content.subject))
        for language, content in contents.items()
    }


async def _consented(connection: asyncpg.Connection) -> int:
    return await book.count_recipients(connection, PURPOSE, datetime.now(UTC))


def _progress(before: int, now: int, moved_s: float, so_far: str) -> tuple[int, float]:
    """However slow the machine is: only standing still is a failure."""
    if now != before:
        return now, time.monotonic()
    if time.monotonic() - moved_s > _PATIENCE_S:
        raise LetheError(f"nothing has moved for {_PATIENCE_S:.0f} s: {so_far}; the workers' logs say why")
    return before, moved_s


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    return "" if body is None else str(body.get_content())
