"""Tokens: links in mails that a person uses once. The database holds keyed hashes of them, never a token."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg

from workers.db import sql
from workers.engine.database import Connection
from workers.vault.keyring import Keyring

_QUERIES = sql.queries("tokens")
_SIZE_BYTES = 24
_MAX_CHARACTERS = 64


class TokenState(NamedTuple):
    """What a token is for. `purposes`: the consents that it still confirms, or once did; empty for one of another kind.
    `used_at` is None as long as it is good for anything.
    """

    kind: str
    contact_id: int
    purposes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None

    def is_open(self, now: datetime) -> bool:
        """Whether it can still be used."""
        return self.used_at is None and now < self.expires_at


class Tokens:
    """Issues tokens, looks at them (a GET), uses them (a POST)."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def issue(
        self,
        connection: Connection,
        kind: str,
        contact_id: int,
        record_ids: Sequence[UUID | None],
        now: datetime,
        lifetime: timedelta,
    ) -> str:
        """One token for all of these records of a contact: 192 random bits in base64url (RFC 4648, 5)."""
        token = secrets.token_urlsafe(_SIZE_BYTES)
        await connection.execute(
            _QUERIES["issue"], self._hash(token), kind, contact_id, list(record_ids), now, now + lifetime
        )
        return token

    async def look_at(self, connection: Connection, kind: str, token: str) -> TokenState | None:
        """What the token is for, used and expired ones too; None when there is no such token. Changes nothing."""
        if len(token) > _MAX_CHARACTERS:
            return None
        return _state(await connection.fetch(_QUERIES["look_at"], self._hash(token), kind))

    async def use(self, connection: Connection, kind: str, token: str, now: datetime) -> TokenState | None:
        """Use it up: returned to one caller only; None when it is unknown, expired or was used."""
        if len(token) > _MAX_CHARACTERS:
            return None
        return _state(await connection.fetch(_QUERIES["use"], self._hash(token), kind, now))

    async def close(self, connection: Connection, record_ids: Sequence[UUID], now: datetime) -> None:
        """Let no open token confirm these consent records any more."""
        await connection.execute(_QUERIES["close"], list(record_ids), now)

    async def erase(self, connection: Connection, record_ids: Sequence[UUID]) -> None:
        """Delete every token of these consent records."""
        await connection.execute(_QUERIES["erase"], list(record_ids))

    def _hash(self, token: str) -> UUID:
        return UUID(bytes=self._keyring.lookup_hash("token", token.encode("utf-8", "replace")))


def _state(rows: Sequence[asyncpg.Record]) -> TokenState | None:
    """A token from its rows, one per record."""
    if not rows:
        return None
    shown = [row for row in rows if row["used_at"] is None] or rows
    purposes = tuple(row["purpose"] for row in shown if row["purpose"] is not None)
    one = shown[0]
    return TokenState(one["kind"], one["contact_id"], purposes, one["created_at"], one["expires_at"], one["used_at"])
