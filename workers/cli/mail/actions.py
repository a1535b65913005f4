"""What `lethe mail` does."""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiosmtplib
import asyncpg

from workers import clock
from workers import settings as settings_module
from workers.cli import connections
from workers.db import migrate, sql
from workers.domain import email_address
from workers.errors import LetheError, Refused, UsageError
from workers.mail import desk, dkim, mime, templates
from workers.mail.desk import Letter
from workers.mail.mime import Envelope
from workers.mail.smtp import Answer, Connections, Outcome, Parcel
from workers.settings import Settings
from workers.vault import keyring as keyrings
from workers.vault.sealing import Unreadable
from workers.vault.subjects import SubjectVault

_QUERIES = sql.queries("mails")
_STATES = ("intent", "claimed", "unknown", "sent", "failed", "cancelled")
_TXT_CHARS = 255
Row = Mapping[str, Any]


async def listed(state: str | None, template: str | None, limit: int) -> list[Row]:
    """The latest mails. Raises UsageError for a state that there is not."""
    if state is not None and state not in _STATES:
        raise UsageError(f"--state is one of {', '.join(_STATES)}")
    async with _database() as (connection, _):
        return [dict(row) for row in await connection.fetch(_QUERIES["list"], state, template, limit)]


async def totals() -> list[Row]:
    """How many there are by template, class and state."""
    async with _database() as (connection, _):
        return [dict(row) for row in await connection.fetch(_QUERIES["count_by_state"])]


async def found(mail_id: int) -> Row:
    """One mail. Raises UsageError when there is none of that number."""
    async with _database() as (connection, _):
        row = await connection.fetchrow(_QUERIES["find"], mail_id)
    if row is None:
        raise UsageError(f"there is no mail {mail_id}: `lethe mail ls` shows the latest")
    return dict(row)


async def letter_of(mail: Row) -> Letter:
    """To whom it goes and what it says. Raises UsageError where that is no longer kept or cannot be opened."""
    if mail["sealed"] is None:
        raise UsageError(f"mail {mail['mail_id']} has no letter: it was sent or let go, or it is part of an issue")
    async with _database() as (connection, settings):
        vault = SubjectVault(keyrings.load(settings.keyring_dir))
        subjects = await vault.hold_by_id(connection, [mail["subject_id"]])
    try:
        return desk.open_letter(subjects[mail["subject_id"]], mail["mail_id"], mail["sealed"])
    except (KeyError, Unreadable):
        raise UsageError(f"mail {mail['mail_id']} cannot be opened: the person's data was erased") from None


async def retry(named: Sequence[int], all_failed: bool) -> tuple[list[int], dict[int, str]]:
    """Which are due again, and which are not and why. Raises UsageError where none is named."""
    if bool(named) == all_failed:
        raise UsageError("name the mails by their numbers, or say --all")
    async with _database() as (connection, _):
        rows = await connection.fetch(_QUERIES["retry"], None if all_failed else named, clock.system_clock())
        again = sorted(row["mail_id"] for row in rows)
        refused = {
            mail_id: _why_not(await connection.fetchrow(_QUERIES["find"], mail_id))
            for mail_id in named
            if mail_id not in again
        }
    return again, refused


def _why_not(mail: asyncpg.Record | None) -> str:
    if mail is None:
        return "there is no such mail"
    if mail["state"] != "failed":
        return f"it is {mail['state']}"
    return "it is marketing" if mail["class"] == "marketing" else "its letter is no longer kept"


def records() -> list[str]:
    """The lines of a zone file, after making the keys that are missing."""
    settings = settings_module.load()
    dkim.create(settings.dkim_dir)
    signer = dkim.load(settings.dkim_dir, settings.dkim_domain, settings.dkim_selector)
    return [f"{key.selector}._domainkey.{settings.dkim_domain}. IN TXT {_quoted(key.record())}" for key in signer.keys]


def _quoted(record: str) -> str:
    """As strings of at most 255 octets, which a resolver joins (RFC 6376, 3.6.2.2)."""
    return " ".join(f'"{record[start : start + _TXT_CHARS]}"' for start in range(0, len(record), _TXT_CHARS))


async def send_test(to: str, language: str) -> str:
    """What happened. Raises LetheError where the mail server did not take it."""
    settings = settings_module.load()
    try:
        recipient = email_address.normalise(to)
    except Refused as refusal:
        raise UsageError(f"--to {refusal.reason}") from None
    signer = dkim.load(settings.dkim_dir, settings.dkim_domain, settings.dkim_selector)
    content = templates.render("mail_test", language, {"shop": settings.shop_name})
    envelope = Envelope(
        settings.mail_from, settings.shop_name, recipient, f"test.{secrets.token_hex(8)}@{settings.dkim_domain}",
        clock.system_clock(), automatic="auto-generated",
    )  # fmt: skip
    server = Connections(settings)
    connection = await server.connect()
    if not isinstance(connection, aiosmtplib.SMTP):
        raise LetheError(f"{_place(settings)} {_refusal(connection)}: see LETHE_SMTP_…")
    connection.close()
    outcome = await server.send(Parcel(settings.bounce_address, recipient, mime.message(content, envelope, signer)))
    await server.close()
    if outcome.answer is not Answer.ACCEPTED:
        raise LetheError(f"{_place(settings)} did not take the mail: it {_refusal(outcome)}")
    signed = "signed" if signer.keys else "not signed (`lethe mail keys` makes keys)"
    return f"{_place(settings)} took the mail ({outcome.code}), {signed}; whether it arrives, your mailbox shows"


def _refusal(outcome: Outcome) -> str:
    return f"answers {outcome.code}" if outcome.code else "does not answer, or not as the settings demand"


def _place(settings: Settings) -> str:
    return f"the mail server at {settings.smtp_host}:{settings.smtp_port}"


@asynccontextmanager
async def _database() -> AsyncIterator[tuple[asyncpg.Connection, Settings]]:
    settings = settings_module.load()
    async with connections.database(settings) as connection:
        await migrate.check(connection)
        yield connection, settings
