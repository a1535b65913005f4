"""Suppressions: the no that survives import and erasure, as keyed hashes of addresses."""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from schemas.consent import EVERY_PURPOSE
from schemas.ledger import AddressSuppressed
from workers import ledger
from workers.db import literals, sql
from workers.domain import consent
from workers.domain.consent import Suppression, SuppressionReason
from workers.engine.database import Connection
from workers.settings import Settings
from workers.vault.keyring import Keyring

_QUERIES = sql.queries("suppressions")
_Key = tuple[bytes, str]


class Suppressions:
    """Those of a few addresses, in memory between `load` and `store`."""

    def __init__(self, keyring: Keyring, settings: Settings) -> None:
        self._keyring = keyring
        self._settings = settings
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
        changed = self._changed()
        if changed:
            await connection.execute(
                _QUERIES["store"],
                [UUID(bytes=hash_) for (hash_, _), _ in changed],
                [purpose for (_, purpose), _ in changed],
                [row.reason for _, row in changed],
                [row.since for _, row in changed],
            )
        removed = self._lifted()
        if removed:
            await connection.execute(
                _QUERIES["remove"], [UUID(bytes=hash_) for hash_, _ in removed], [purpose for _, purpose in removed]
            )

    async def tell_ledger(self, connection: Connection, now: datetime) -> None:
        """Tell the ledger what `store` wrote; the transaction's last step."""
        entries = [_entry(key, row, row.since, lifted=False) for key, row in self._changed()]
        entries += [_entry(key, self._stored[key], now, lifted=True) for key in self._lifted()]
        await ledger.tell(connection, self._settings, entries, now)

    def _changed(self) -> list[tuple[_Key, Suppression]]:
        return [(key, row) for key, row in self._rows.items() if self._stored.get(key) != row]

    def _lifted(self) -> list[_Key]:
        return [key for key in self._stored if key not in self._rows]


def _entry(key: _Key, row: Suppression, time: datetime, *, lifted: bool) -> AddressSuppressed:
    hash_, purpose = key
    return AddressSuppressed(
        suppression_hash=UUID(bytes=hash_), purpose=purpose, reason=row.reason.value, since=time, lifted=lifted
    )
