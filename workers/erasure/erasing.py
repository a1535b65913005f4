"""The second step of a round: once nothing can come out any more, tell the carriers, delete, and ask the stores."""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg

from workers.clock import monotonic_s
from workers.consent.desk import ConsentDesk
from workers.db import sql
from workers.engine import crashpoints, relay
from workers.engine.database import Connection
from workers.erasure import identities, own
from workers.erasure.fanout import NOTHING_TO_FIND_BY
from workers.erasure.identities import Identities
from workers.erasure.own import Told
from workers.log import logger
from workers.proof.carrier_ledger import CarrierLedger, CarrierNotice
from workers.settings import Settings
from workers.stores.directory import Store
from workers.vault.keyring import Keyring
from workers.vault.subjects import SubjectVault

_QUERIES = sql.queries("erasure")
_LOG = logger(__name__)
_SHARD = 0
_PATIENCE_S = 30.0
_OF_ORDERS = frozenset(("order_id", "shipment_id"))


class Grace:
    """Whether what was applied before a fence has been published. Kept in memory: asked again, it is only later."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._lanes: dict[int, tuple[list[str], list[int]]] = {}
        self._since_s: dict[int, float] = {}

    async def is_over(self, round_id: int) -> bool:
        """True once no row of the outbox is left that was there when this was first asked, after the fence."""
        if round_id not in self._lanes:
            rows = await self._pool.fetch(_QUERIES["lanes"])
            self._lanes[round_id] = [row["lane"] for row in rows], [row["position"] for row in rows]
            self._since_s[round_id] = monotonic_s()
        if await self._pool.fetchval(_QUERIES["lanes_left"], *self._lanes[round_id]):
            if monotonic_s() - self._since_s[round_id] > _PATIENCE_S:
                _LOG.warning("erasure_waits_for_publication", round_id=round_id, lanes=self._lanes[round_id][0])
                self._since_s[round_id] = monotonic_s()
            return False
        del self._lanes[round_id], self._since_s[round_id]
        return True


class Erasing:
    """Deletes the rows of a round in one transaction, which is the effective moment of its fence."""

    def __init__(
        self, vault: SubjectVault, keyring: Keyring, consent: ConsentDesk, stores: Mapping[str, Store],
        settings: Settings,
    ) -> None:  # fmt: skip
        self._vault = vault
        self._keyring = keyring
        self._consent = consent
        self._stores = stores
        self._settings = settings
        self._carriers = CarrierLedger(keyring)

    async def erase(
        self, connection: Connection, round_id: int, epoch: int, inbound: Mapping[str, int], now: datetime
    ) -> int:
        """Returns how many requests. `inbound`: the ends of the inbound topics, read after the fence."""
        rows = await connection.fetch(_QUERIES["round_requests"], round_id, "fenced")
        keys = await self._vault.hold_by_id(connection, {row["key_subject_id"] for row in rows})
        known = [
            identities.unseal(row["sealed"], keys[row["key_subject_id"]], row["request_id"]) for row in rows
        ]  # fmt: skip
        addresses = [identities.email_hashes(one, self._keyring) for one in known]
        meant = sorted({number for row in rows for number in row["subject_ids"]})
        messages, told = await own.withdrawals(connection, self._settings, meant)
        await self._tell(connection, rows, told, now)
        every = sorted({hash_ for found in addresses for hash_ in found})
        disclosed = await own.disclosed(connection, self._settings, meant)
        erased = await own.erase(connection, self._consent, meant, every, now)
        counted = [
            json.dumps({"deleted": erased.of(row["subject_ids"], found)})
            for row, found in zip(rows, addresses, strict=True)
        ]
        await connection.execute(_QUERIES["erased"], [row["request_id"] for row in rows], counted, now)
        await self._ask_stores(connection, rows, known, now)
        await connection.execute(
            _QUERIES["round_erased"], round_id, now, json.dumps(dict(inbound)), epoch, json.dumps(disclosed)
        )
        await relay.add(connection, self._settings, _SHARD, now, messages)
        crashpoints.reach("erasure.before_erase_commit")
        return len(rows)

    async def _tell(
        self, connection: Connection, rows: Sequence[asyncpg.Record], told: Sequence[Told], now: datetime
    ) -> None:
        """Remember who was told to forget, until the certificate (GDPR 19)."""
        requests = {number: row["request_id"] for row in rows for number in row["subject_ids"]}
        notices = [CarrierNotice(requests[one.subject_id], one.carrier, one.withdrawal_id) for one in told]
        await self._carriers.tell(connection, notices, now)

    async def _ask_stores(
        self, connection: Connection, rows: Sequence[asyncpg.Record], known: Sequence[Identities], now: datetime
    ) -> None:
        asked = [
            (uuid.uuid4(), row["request_id"], store.name, *_first_state(store, identified))
            for row, identified in zip(rows, known, strict=True)
            for store in self._stores.values()
            if _may_hold(store, identified)
        ]
        columns = [list(column) for column in zip(*asked, strict=True)] or [[], [], [], [], []]
        await connection.execute(_QUERIES["ask_stores"], *columns, now)


def _may_hold(store: Store, known: Identities) -> bool:
    """Not where it finds people by their orders alone, and they have none. A disabled one may hold them as well."""
    return bool(set(store.identifiers) - _OF_ORDERS or known.orders)


def _first_state(store: Store, known: Identities) -> tuple[str, str | None]:
    """A store that cannot be asked must not count as one that has nothing."""
    named = known.for_stores()
    if any(named.get(name) for name in store.identifiers):
        return "to_erase", None
    return "unconfirmed", NOTHING_TO_FIND_BY
