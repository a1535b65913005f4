"""The last steps of a request: its certificate, the answer to the person, and the end of the request's own key."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from workers.db import sql
from workers.domain.requests import Move, Reason
from workers.engine import crashpoints
from workers.engine.database import Connection
from workers.erasure import identities, summary
from workers.erasure.beginning import ACTOR
from workers.erasure.desk import RequestDesk
from workers.erasure.letters import RequestLetters
from workers.proof.carrier_ledger import CarrierLedger
from workers.proof.certificate import Certificate
from workers.proof.desk import ProofDesk
from workers.proof.facts import CarrierProof, Deleted, Facts, Kept, SharedTopic, StoreProof, TopicProof, Unreadable
from workers.residence import trimming
from workers.stores.directory import Store
from workers.vault.subjects import Subject, SubjectVault

_QUERIES = sql.queries("erasure")
_CHUNK = 1000
_MARGIN = timedelta(days=2)
"""A store that has not confirmed so long before the legal deadline makes the request complete in part: said in time."""
SILENT = "the store did not confirm in time; it is asked again by `lethe requests retry`"


class Certifying:
    """In the caller's transaction; bulk."""

    def __init__(
        self, vault: SubjectVault, desk: RequestDesk, proof: ProofDesk, letters: RequestLetters,
        stores: Mapping[str, Store], carriers: CarrierLedger,
    ) -> None:  # fmt: skip
        self._vault = vault
        self._desk = desk
        self._proof = proof
        self._letters = letters
        self._stores = stores
        self._carriers = carriers

    async def certify(self, connection: Connection, now: datetime) -> int:
        """Certify what is proven; let the rest wait for its stores, no longer than the law does. Returns how many."""
        rows = await connection.fetch(_QUERIES["to_certify"])
        late = [
            row["request_id"]
            for row in rows
            if not row["stores_final"] and row["due_at"] - _MARGIN <= now and row["state"] != "partly_completed"
        ]
        if late:
            await connection.execute(_QUERIES["give_up_stores"], late, SILENT)
        waiting = [
            row["request_id"]
            for row in rows
            if not row["stores_final"] and row["request_id"] not in late and row["state"] == "in_progress"
        ]
        if waiting:
            await self._desk.move(connection, waiting, Move.AWAIT_STORES, ACTOR, now)
        ready = [row for row in rows if row["stores_final"] or row["request_id"] in late]
        ready = [row for row in ready if row["state"] != "partly_completed" or not row["any_unconfirmed"]][:_CHUNK]
        if ready:
            await self._certify(connection, ready, now)
            crashpoints.reach("erasure.before_certificate_commit")
        return len(ready)

    async def _certify(self, connection: Connection, rows: Sequence[asyncpg.Record], now: datetime) -> None:
        ids = [row["request_id"] for row in rows]
        answers: dict[UUID, list[asyncpg.Record]] = {one: [] for one in ids}
        for row in await connection.fetch(_QUERIES["store_rows"], ids):
            answers[row["request_id"]].append(row)
        rounds = {
            row["round_id"]: row
            for row in await connection.fetch(_QUERIES["round"], list({row["round_id"] for row in rows}))
        }
        told = await self._carriers.standing(connection, ids)
        facts = [
            self._facts(row, rounds[row["round_id"]], answers[row["request_id"]], told.get(row["request_id"], ()), now)
            for row in rows
        ]
        certificates = await self._proof.issue_many(connection, facts, now)
        held = {row["key_subject_id"] for row in rows} - {None}
        keys = await self._vault.hold_by_id(connection, held)
        mails = [
            await self._answer(connection, row, keys, certificate, now)
            for row, certificate in zip(rows, certificates, strict=True)
        ]
        await connection.execute(_QUERIES["certified"], ids, [one.sequence for one in certificates], mails)
        complete = [one.request_id for one in facts if one.outcome == "completed"]
        partly = [one for one in ids if one not in set(complete)]
        if complete:
            await self._desk.move(connection, complete, Move.COMPLETE, ACTOR, now)
        if partly:
            await self._desk.move(connection, partly, Move.COMPLETE_PARTLY, ACTOR, now, Reason.STORE_SILENT)

    def _facts(
        self,
        row: asyncpg.Record,
        round_: asyncpg.Record,
        answers: Sequence[asyncpg.Record],
        carriers: tuple[CarrierProof, ...],
        now: datetime,
    ) -> Facts:
        own = json.loads(row["own"])
        unreadable = Unreadable(key_epoch=round_["key_epoch"], destroyed_at=round_["shredded_at"])
        stores = tuple(self._store(one) for one in answers)
        is_complete = all(one.not_confirmed is None for one in stores)
        return Facts(
            request_id=row["request_id"],
            outcome="completed" if is_complete else "partly_completed",
            received_at=row["received_at"],
            verified_at=row["verified_at"],
            fenced_at=round_["effective_at"],
            completed_at=now,
            stores=stores,
            own_stores=(
                StoreProof(
                    name="lethe", kind="postgresql", rendered_unreadable=unreadable,
                    deleted=tuple(Deleted(what=what, count=count) for what, count in own["deleted"].items() if count),
                ),
            ),
            topics=tuple(_topic(one, round_) for one in json.loads(round_["residence"] or "[]")),
            carriers=tuple(one.model_copy(update={"gone_from_topic_at": round_["compacted_at"]}) for one in carriers),
        )  # fmt: skip

    def _store(self, row: asyncpg.Record) -> StoreProof:
        store = self._stores.get(row["store"])
        is_final = row["state"] in ("absent", "kept")
        counts: dict[str, int] = json.loads(row["counts"] or "{}")
        return StoreProof(
            name=row["store"] if store is None else store.title,
            kind="unknown" if store is None else store.kind,
            deleted=tuple(Deleted(what=what, count=count) for what, count in counts.items() if count),
            verified_absent_at=row["verified_at"] if is_final else None,
            kept=tuple(Kept.model_validate_json(json.dumps(one)) for one in json.loads(row["kept"] or "[]")),
            backups_expire_on=row["backups_expire_at"],
            not_confirmed=None if is_final else (row["reason"] or SILENT),
        )

    async def _answer(
        self, connection: Connection, row: asyncpg.Record, keys: Mapping[int, Subject], certificate: Certificate,
        now: datetime,
    ) -> int | None:  # fmt: skip
        key = keys.get(row["key_subject_id"])
        if key is None or row["sealed"] is None:
            return None
        known = identities.unseal(row["sealed"], key, row["request_id"])
        values = {
            "date": self._letters.day(row["received_at"]), "number": str(certificate.sequence),
            "fingerprint": certificate.hash, "certificate_summary": summary.words(certificate, row["language"]),
        }  # fmt: skip
        template = f"erasure_{certificate.outcome}"
        return await self._letters.post(connection, template, key, known, row["language"], values, now)

    async def forget(self, connection: Connection) -> int:
        """Destroy the own keys of requests whose last mail is out; returns how many."""
        rows = await connection.fetch(_QUERIES["to_forget"], _CHUNK)
        if rows:
            keys = [row["key_subject_id"] for row in rows]
            await connection.execute(_QUERIES["forget_mails"], keys)
            await connection.execute(_QUERIES["forget_keys"], keys)
            request_ids = [row["request_id"] for row in rows]
            await connection.execute(_QUERIES["forgotten"], request_ids)
            await self._carriers.forget(connection, request_ids)
            crashpoints.reach("erasure.before_forget_commit")
        return len(rows)


def _topic(one: Mapping[str, Any], round_: asyncpg.Record) -> TopicProof:
    retention_ms = one["shared_retention_ms"]
    if retention_ms is None:
        return TopicProof(topic=one["topic"], trimmed_at=round_["trimmed_at"])
    last = trimming.gone_on(round_["effective_at"], retention_ms).astimezone(UTC).date()
    return TopicProof(topic=one["topic"], shared=SharedTopic(retention_days=trimming.days(retention_ms), gone_on=last))
