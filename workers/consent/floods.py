"""Floods: how often one address or one source may ask for something within a window."""

from datetime import datetime, timedelta
from uuid import UUID

from workers.db import sql
from workers.engine.database import Connection
from workers.vault.keyring import Keyring

_QUERIES = sql.queries("floods")


class Floods:
    """Counts by keyed hashes; nothing of an address or a source is kept."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def allow(
        self, connection: Connection, kind: str, key: str, limit: int, window_s: int, now: datetime
    ) -> bool:
        """Whether `key` may do this once more: at most `limit` times in any `window_s` seconds, about.

        What is not allowed is not counted: who is flooded with requests of others may ask again later. `window_s` is
        a week at most: counts are forgotten after two. The count is in the caller's transaction and waits for
        another one of the same key.
        """
        elapsed_s = now.timestamp() % window_s
        start = now - timedelta(seconds=elapsed_s)
        flood_hash = UUID(bytes=self._keyring.lookup_hash("flood", key.encode()))
        allowed = await connection.fetchval(
            _QUERIES["allow"], flood_hash, kind, start, start - timedelta(seconds=window_s), limit,
            1 - elapsed_s / window_s,
        )  # fmt: skip
        return allowed is not None
