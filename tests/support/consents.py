"""Consent in the few lines that a test wants to read: a desk on a real PostgreSQL, changes, events of an upstream."""

import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from tests.support.lethe import ROOT
from tests.support.orders import NOW, Published
from workers import purposes as purposes_file
from workers.consent.desk import ConsentDesk
from workers.consent.session import ConsentOutcome
from workers.db import migrate
from workers.domain.consent import ConsentChange, Entity, Kind
from workers.engine import database
from workers.engine.database import Connection
from workers.mail.desk import MailDesk
from workers.settings import Settings
from workers.vault import keyring
from workers.vault.subjects import Subject, SubjectVault

PURPOSES = purposes_file.load(ROOT / "deploy/purposes.yaml")
ERIKA = "erika@example.com"
_numbers = itertools.count(1)


class Posted(NamedTuple):
    """A mail that was put into the ledger."""

    to: str
    template: str
    language: str
    values: Mapping[str, str]

    @property
    def token(self) -> str:
        """The token of its link."""
        return self.values["url"].rpartition("/")[2]


class Ledger(MailDesk):
    """The mail desk, which also remembers what it was asked to write: the table holds it sealed."""

    def __init__(self) -> None:
        self.posted: list[Posted] = []

    async def post(
        self, connection: Connection, subject: Subject, *, to: str, template: str, language: str,
        values: Mapping[str, str], now: datetime, **more: Any,
    ) -> int | None:  # fmt: skip
        """Post it, and remember it."""
        self.posted.append(Posted(to, template, language, dict(values)))
        return await super().post(
            connection, subject, to=to, template=template, language=language, values=values, now=now, **more
        )

    def templates(self) -> list[str]:
        """What was written, in order."""
        return [one.template for one in self.posted]


def change(kind: Kind, email: str | None = ERIKA, purpose: str = "newsletter", **more: Any) -> ConsentChange:
    """A change by the person herself, on the web, now."""
    given: dict[str, Any] = {
        "entity": Entity.SUBJECT, "collection_method": "web_form", "event_time": NOW, "email": email,
        "privacy_notice": "2026-01" if kind is Kind.GIVEN else None, "language": "en" if kind is Kind.GIVEN else None,
    }  # fmt: skip
    return ConsentChange(kind, purpose, **{**given, **more})


class ConsentWorld:
    """A desk, its database and the mails that it asked for."""

    def __init__(self, pool: asyncpg.Pool, settings: Settings) -> None:
        ring = keyring.load(settings.keyring_dir)
        self.pool = pool
        self.settings = settings
        self.ring = ring
        self.ledger = Ledger()
        self.vault = SubjectVault(ring)
        self.desk = ConsentDesk(self.vault, ring, PURPOSES, self.ledger, settings)

    async def apply(self, *changes: ConsentChange, now: datetime = NOW) -> list[ConsentOutcome]:
        """Apply changes in one transaction."""
        async with self.pool.acquire() as connection, connection.transaction():
            return await self.desk.apply(connection, changes, now)

    async def confirm(self, token: str, now: datetime = NOW) -> ConsentOutcome | None:
        """Use a confirmation link; what became of the first purpose that it is about."""
        async with self.pool.acquire() as connection, connection.transaction():
            outcomes = await self.desk.confirm(connection, token, {"source_address": "192.0.2.1"}, now)
            return None if outcomes is None else next(iter(outcomes.values()))

    async def subscribe(self, email: str = ERIKA, purpose: str = "newsletter", now: datetime = NOW) -> int:
        """Sign up and confirm; the contact's number."""
        await self.apply(change(Kind.GIVEN, email, purpose, event_time=now), now=now)
        outcome = await self.confirm(self.ledger.posted[-1].token, now)
        assert outcome is not None
        assert outcome.contact_id is not None
        return outcome.contact_id

    async def status(self, email: str = ERIKA, purpose: str = "newsletter") -> str | None:
        """The status that the database holds."""
        email_hash = self.ring.lookup_hash("email", email.encode()).hex()
        found: str | None = await self.pool.fetchval(
            "select status from consents join contacts using (contact_id) "
            "where email_hash = $1::text::uuid and purpose = $2",
            email_hash,
            purpose,
        )
        return found

    async def suppressions(self, email: str = ERIKA) -> dict[str, str]:
        """The address's suppressions: purpose and reason."""
        hash_ = self.ring.lookup_hash("suppression", email.encode()).hex()
        rows = await self.pool.fetch(
            "select purpose, reason from suppressions where suppression_hash = $1::text::uuid", hash_
        )
        return {row["purpose"]: row["reason"] for row in rows}

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        found: int = await self.pool.fetchval(f"select count(*) from {table}")
        return found


@asynccontextmanager
async def consent_world(dsn: str, folder: Path, **chosen: Any) -> AsyncIterator[ConsentWorld]:
    """A desk on an empty database, or on one that an earlier world with the same `folder` has prepared."""
    named = {"database_dsn": dsn, "keyring_dir": folder / "keyring", "purposes_file": ROOT / "deploy/purposes.yaml"}
    settings = Settings.model_validate({**named, **chosen})
    connection = await asyncpg.connect(dsn)
    try:
        await migrate.apply(connection)
    finally:
        await connection.close()
    keyring.create(settings.keyring_dir)
    pool = await database.connect(settings, max_size=8)
    try:
        yield ConsentWorld(pool, settings)
    finally:
        await pool.close()


def event(
    event_type: str,
    customer: str = "c1",
    email: str = ERIKA,
    purpose: str = "newsletter",
    *,
    event_id: str = "",
    time: datetime = NOW,
    **data: Any,
) -> Published:
    """One event of an upstream in binary mode."""
    body = {"customer_ref": customer, "email": email, "purpose": purpose, **data}
    attributes = {
        "ce_specversion": "1.0", "ce_id": event_id or f"consent{next(_numbers)}", "ce_source": "/shop",
        "ce_type": event_type, "ce_time": time.isoformat(), "content-type": "application/json",
    }  # fmt: skip
    headers = [(name, value.encode()) for name, value in attributes.items()]
    return Published(customer.encode(), headers, json.dumps(body).encode())


def given(customer: str = "c1", email: str = ERIKA, purpose: str = "newsletter", **more: Any) -> Published:
    """`consent.given` from a web form; `double_opt_in` as in the contract."""
    data = {
        "privacy_notice": "2026-01", "language": "en", "collection_method": "web_form",
        "evidence": {"location": "https://shop.example/sign-up"},
    }  # fmt: skip
    return event("consent.given", customer, email, purpose, **{**data, **more})
