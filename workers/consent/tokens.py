"""Tokens: links in mails that a person uses once. The database holds keyed hashes of them, never a token."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from workers.db import sql
from workers.engine.database import Connection
from workers.vault.keyring import Keyring

_QUERIES = sql.queries("tokens")
_SIZE_BYTES = 24
_MAX_CHARACTERS = 64


class TokenState(NamedTuple):
    """What a token is for. `purpose` and `record_id` are None where it is not about one consent record."""

    kind: str
    contact_id: int
    record_id: UUID | None
    purpose: str | None
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
        owners: Sequence[tuple[int, UUID | None]],
        now: datetime,
        lifetime: timedelta,
    ) -> list[str]:
        """One token per owner (contact and record), 192 random bits each in base64url (RFC 4648, 5)."""
        issued = [secrets.token_urlsafe(_SIZE_BYTES) for _ in owners]
        await connection.execute(
            _QUERIES["issue"],
            [self._hash(token) for token in issued],
            kind,
            [contact_id for contact_id, _ in owners],
            [record_id for _, record_id in owners],
            now,
            now + lifetime,
        )
        return issued

    async def look_at(self, connection: Connection, kind: str, token: str) -> TokenState | None:
        """What the token is for, used and expired ones too; None when there is no such token. Changes nothing."""
        if len(token) > _MAX_CHARACTERS:
            return None
        row = await connection.fetchrow(_QUERIES["look_at"], self._hash(token), kind)
        return None if row is None else TokenState(*row)

    async def use(self, connection: Connection, kind: str, token: str, now: datetime) -> TokenState | None:
        """Use it up: returned to one caller only; None when it is unknown, expired or was used."""
        if len(token) > _MAX_CHARACTERS:
            return None
        if await connection.fetchval(_QUERIES["use"], self._hash(token), kind, now) is None:
            return None
        return await self.look_at(connection, kind, token)

    async def close(self, connection: Connection, record_ids: Sequence[UUID], now: datetime) -> None:
        """Use up every open token of these consent records."""
        await connection.execute(_QUERIES["close"], list(record_ids), now)

    async def erase(self, connection: Connection, record_ids: Sequence[UUID]) -> None:
        """Delete every token of these consent records."""
        await connection.execute(_QUERIES["erase"], list(record_ids))

    def _hash(self, token: str) -> UUID:
        return UUID(bytes=self._keyring.lookup_hash("token", token.encode("utf-8", "replace")))
