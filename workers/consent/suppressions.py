"""Suppressions: the no that survives import and erasure, as keyed hashes of addresses."""

from collections.abc import Collection, Iterable
from uuid import UUID

from schemas.consent import EVERY_PURPOSE
from workers.db import literals, sql
from workers.domain import consent
from workers.domain.consent import Suppression, SuppressionReason
from workers.engine.database import Connection
from workers.vault.keyring import Keyring

_QUERIES = sql.queries("suppressions")
_Key = tuple[bytes, str]


class Suppressions:
    """Those of a few addresses, in memory between `load` and `store`."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._rows: dict[_Key, Suppression] = {}
        self._stored: dict[_Key, Suppression] = {}

    def hash(self, email: str) -> bytes:
        """The hash of a normalised address, under a key of this list's own: 16 bytes."""
        return self._keyring.lookup_hash("suppression", email.encode())

    async def load(self, connection: Connection, emails: Collection[str]) -> None:
        """Read what is known about these addresses."""
        named = literals.array(self.hash(email).hex() for email in set(emails))
        for row in await connection.fetch(_QUERIES["load"], named):
            key = (row["suppression_hash"].bytes, row["purpose"])
            self._rows[key] = self._stored[key] = Suppression(SuppressionReason(row["reason"]), row["since"])

    def in_force(self, email: str, purpose: str) -> Suppression | None:
        """What forbids to write to this address for this purpose."""
        hash_ = self.hash(email)
        return consent.stronger(self._rows.get((hash_, EVERY_PURPOSE)), self._rows.get((hash_, purpose)))

    def of(self, email: str) -> dict[str, Suppression]:
        """All of this address, by purpose."""
        hash_ = self.hash(email)
        return {purpose: row for (owner, purpose), row in self._rows.items() if owner == hash_}

    def add(self, email: str, purpose: str, suppression: Suppression) -> None:
        """Suppress the address for a purpose, or for every one; a stronger reason stays."""
        key = (self.hash(email), purpose)
        both = consent.stronger(self._rows.get(key), suppression)
        assert both is not None
        self._rows[key] = both

    def lift(self, email: str, purpose: str, others: Iterable[str]) -> None:
        """The person said yes to one purpose: what was said about every purpose stays for the `others`.

        A hard bounce is about the mailbox itself, which has just answered: that one goes altogether.
        """
        hash_ = self.hash(email)
        self._rows.pop((hash_, purpose), None)
        every = self._rows.pop((hash_, EVERY_PURPOSE), None)
        if every is not None and every.reason is not SuppressionReason.HARD_BOUNCE:
            for other in others:
                if other != purpose:
                    self.add(email, other, every)

    async def store(self, connection: Connection) -> None:
        """Write what changed."""
        changed = [(key, row) for key, row in self._rows.items() if self._stored.get(key) != row]
        if changed:
            await connection.execute(
                _QUERIES["store"],
                [UUID(bytes=hash_) for (hash_, _), _ in changed],
                [purpose for (_, purpose), _ in changed],
                [row.reason for _, row in changed],
                [row.since for _, row in changed],
            )
        removed = [key for key in self._stored if key not in self._rows]
        if removed:
            await connection.execute(
                _QUERIES["remove"], [UUID(bytes=hash_) for hash_, _ in removed], [purpose for _, purpose in removed]
            )
