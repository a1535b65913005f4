"""Links that prove identity: 128 bits and more, single use, short-lived; the database holds a keyed hash of each."""

import secrets
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from workers.db import sql
from workers.engine.database import Connection
from workers.vault.keyring import Keyring

_QUERIES = sql.queries("requests")
_SIZE_BYTES = 24
_MAX_CHARACTERS = 64


class TokenLook(NamedTuple):
    """What a link is for, as a GET sees it. `is_used`: it was, or what it is for was settled in another way."""

    request_id: UUID
    is_open: bool
    is_used: bool
    language: str


class RequestTokens:
    """Issues, looks at (a GET), uses (a POST)."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def issue(self, connection: Connection, request_id: UUID, now: datetime, lifetime: timedelta) -> str:
        """A new token; it is returned here only."""
        token = secrets.token_urlsafe(_SIZE_BYTES)
        await connection.execute(_QUERIES["issue_token"], self._hash(token), request_id, now + lifetime)
        return token

    async def look_at(self, connection: Connection, token: str, now: datetime) -> TokenLook | None:
        """None: there is no such token. Changes nothing."""
        row = await connection.fetchrow(_QUERIES["look_at_token"], self._hash(token))
        if row is None:
            return None
        is_used = row["used_at"] is not None or row["state"] != "identity_needed"
        return TokenLook(row["request_id"], not is_used and row["expires_at"] > now, is_used, row["language"])

    async def use(self, connection: Connection, token: str, now: datetime) -> UUID | None:
        """Use it up. None: unknown, expired or used before; of two at once only one gets it."""
        found: UUID | None = await connection.fetchval(_QUERIES["use_token"], self._hash(token), now)
        return found

    def _hash(self, token: str) -> UUID:
        return UUID(bytes=self._keyring.lookup_hash("token", token[:_MAX_CHARACTERS].encode()))
