"""The proof desk: issues certificates in the caller's transaction, each one chained to the one before."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from workers.db import sql
from workers.engine.database import Connection
from workers.proof import certificate
from workers.proof.certificate import Certificate
from workers.proof.facts import Facts
from workers.proof.signing import Signer

_QUERIES = sql.queries("certificates")


class ProofDesk:
    """Issues the certificates of one controller. Hold the transaction open briefly: others wait for the chain."""

    def __init__(self, signer: Signer, controller: str) -> None:
        self._signer = signer
        self._controller = controller

    async def issue_many(self, connection: Connection, facts: Sequence[Facts], now: datetime) -> list[Certificate]:
        """A certificate per request, in the order of `facts`, in three statements however many they are.

        The head of the chain is locked to the commit: sequence order is commit order, a rolled back transaction leaves
        no gap. A request whose erasure was certified as completed, or with these very facts, gets that certificate
        back, so that a caller whose COMMIT went unanswered may ask again.
        """
        if not facts:
            return []
        head = await connection.fetchrow(_QUERIES["lock_head"])
        assert head is not None  # the migration put it there
        latest = await self._latest(connection, {one.request_id for one in facts})
        sequence, previous_hash = int(head["sequence"]), bytes(head["hash"]).hex()
        issued, all_ = list[Certificate](), list[Certificate]()
        for one in facts:
            before = latest.get(one.request_id)
            if before is None or not _is_said(one, before):
                replaced = None if before is None else before.sequence
                before = certificate.issue(
                    one, sequence=sequence + 1, previous_hash=previous_hash, replaces=replaced,
                    controller=self._controller, signer=self._signer, now=now,
                )  # fmt: skip
                sequence, previous_hash = before.sequence, before.hash
                latest[one.request_id] = before
                issued.append(before)
            all_.append(before)
        await self._store(connection, issued)
        return all_

    async def _latest(self, connection: Connection, request_ids: set[UUID]) -> dict[UUID, Certificate]:
        rows = await connection.fetch(_QUERIES["latest"], list(request_ids))
        return {row["request_id"]: Certificate.model_validate_json(row["document"]) for row in rows}

    async def _store(self, connection: Connection, issued: Sequence[Certificate]) -> None:
        if issued:
            await connection.execute(
                _QUERIES["store"],
                [one.sequence for one in issued],
                [one.request_id for one in issued],
                [one.outcome for one in issued],
                [one.issued_at for one in issued],
                [bytes.fromhex(one.hash) for one in issued],
                [one.document.decode() for one in issued],
                issued[-1].sequence,
                bytes.fromhex(issued[-1].hash),
            )


def _is_said(facts: Facts, before: Certificate) -> bool:
    return before.outcome == "completed" or before.facts == facts
