"""The page `/erasure` as a person uses it: a form, a mail, a link, a button."""

import asyncio
import re
from email.message import EmailMessage
from typing import Final, NamedTuple

import asyncpg

from workers.cli.demo.mailbox import Arrived, Mailbox
from workers.cli.local import pages
from workers.db import sql
from workers.errors import LetheError
from workers.settings import Settings

STRANGER: Final = "nobody.here@example.org"
_QUERIES = sql.queries("demo")
_TIMEOUT_S: Final = 30.0


class Moment(NamedTuple):
    """Where the request stood, and how many people were fenced."""

    state: str
    fenced: int


class Asked(NamedTuple):
    """The mail, where the request stood before the link was opened and after, and what a stranger's address got."""

    mail: EmailMessage
    before: Moment
    opened: Moment
    pressed: Moment
    is_silent: bool


async def ask(settings: Settings, db: asyncpg.Connection, mailbox: Mailbox, email: str) -> Asked:
    """Send the form, wait for the mail, open its link, press its button."""
    form = f"{settings.public_url}/en/erasure"
    mailbox.look()
    _, of_stranger = await asyncio.to_thread(pages.post, form, {"email": STRANGER}, _TIMEOUT_S)
    _, of_person = await asyncio.to_thread(pages.post, form, {"email": email}, _TIMEOUT_S)
    arrived = await mailbox.wait_for(email)
    link = link_of(arrived, "erasure")
    before = await _moment(db)
    await asyncio.to_thread(pages.get, link, _TIMEOUT_S)
    opened = await _moment(db)
    await asyncio.to_thread(pages.post, link, {}, _TIMEOUT_S)
    return Asked(arrived.opened(), before, opened, await _moment(db), of_stranger == of_person)


async def press(arrived: Arrived, page: str) -> None:
    """Open the link of a mail and press the button there."""
    await asyncio.to_thread(pages.post, link_of(arrived, page), {}, _TIMEOUT_S)


def link_of(arrived: Arrived, page: str) -> str:
    """The link to `/page/…`. Raises LetheError where the mail has none."""
    body = arrived.opened().get_body(("plain",))
    found = re.search(rf"https?://\S+/{page}/\S+", "" if body is None else str(body.get_content()))
    if found is None:
        raise LetheError(f"the mail has no link to /{page}")
    return found[0]


async def _moment(db: asyncpg.Connection) -> Moment:
    row = await db.fetchrow(_QUERIES["standing"])
    return Moment("none" if row is None else row["state"], await db.fetchval(_QUERIES["fenced"]))
