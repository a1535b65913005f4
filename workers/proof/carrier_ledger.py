"""The Article 19 ledger: which carriers were told to forget an erased person's addresses, and what they answered.

A notice is known by a keyed hash of the withdrawal's event id, since that id has the order's number in it. It stays
until the request's end: `standing` goes into the certificate, `forget` removes the rest.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from schemas.address import AddressWithdrawalAcknowledged
from workers.db import sql
from workers.engine.database import Connection
from workers.proof.facts import CarrierProof
from workers.vault.keyring import Keyring

_QUERIES = sql.queries("carrier_notices")
_MAX_REVISION = 2**31 - 1


class CarrierNotice(NamedTuple):
    """A withdrawal that a carrier is told because of an erasure. `withdrawal_id` is the event's `ce_id`."""

    request_id: UUID
    carrier: str
    withdrawal_id: str


class CarrierLedger:
    """Writes notices and answers, in the caller's transaction."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def tell(self, connection: Connection, notices: Sequence[CarrierNotice], now: datetime) -> None:
        """Remember notices in the transaction that puts the withdrawals into the outbox. Repeating changes nothing."""
        if notices:
            await connection.execute(
                _QUERIES["tell"],
                [self._hash(one.carrier, one.withdrawal_id) for one in notices],
                [one.request_id for one in notices],
                [one.carrier for one in notices],
                now,
            )

    async def acknowledge(
        self, connection: Connection, answers: Sequence[AddressWithdrawalAcknowledged], now: datetime
    ) -> None:
        """Write down answers, `now` being when they were read. The first answer to a withdrawal counts."""
        first = {self._hash(one.carrier, one.withdrawal_id): one for one in reversed(answers)}
        await connection.execute(
            _QUERIES["acknowledge"], list(first), [one.outcome for one in first.values()], now
        )  # fmt: skip
        named = [(*_shipment(one.withdrawal_id), one.carrier) for one in first.values()]
        await connection.execute(
            _QUERIES["acknowledge_disclosures"],
            [shipment_id for shipment_id, _, _ in named],
            [revision for _, revision, _ in named],
            [carrier for _, _, carrier in named],
            now,
        )

    async def standing(
        self, connection: Connection, request_ids: Collection[UUID]
    ) -> Mapping[UUID, tuple[CarrierProof, ...]]:
        """What each request's carriers were told and answered, for its certificate. Those without any are left out."""
        found: dict[UUID, tuple[CarrierProof, ...]] = {}
        for row in await connection.fetch(_QUERIES["standing"], list(request_ids)):
            proof = CarrierProof(
                carrier=row["carrier"], shipments=row["shipments"], told_at=row["told_at"],
                acknowledged=row["acknowledged"], acknowledged_at=row["acknowledged_at"], kept=row["kept"],
            )  # fmt: skip
            found[row["request_id"]] = (*found.get(row["request_id"], ()), proof)
        return found

    async def forget(self, connection: Connection, request_ids: Collection[UUID]) -> None:
        """Remove the notices of requests that have ended; later answers to them have no effect."""
        await connection.execute(_QUERIES["forget"], list(request_ids))

    def _hash(self, carrier: str, withdrawal_id: str) -> UUID:
        named = b"\0".join((b"withdrawal", carrier.encode(), withdrawal_id.encode()))
        return UUID(bytes=self._keyring.lookup_hash("event", named))


def _shipment(withdrawal_id: str) -> tuple[str, int]:
    """Shipment and revision, as the shipping agent names its withdrawals; revision 0, which none has, for any other."""
    shipment_id, _, revision = withdrawal_id.rpartition(".")
    number = int(revision) if revision.isascii() and revision.isdigit() and len(revision) < 11 else 0
    return shipment_id, number if number <= _MAX_REVISION else 0
