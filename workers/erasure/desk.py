"""The request desk: opens requests and moves them, in the caller's transaction, whoever asks and however.

The topic, the pages for people, the postbox and the staff's commands all come here. What is moved is told to the shop's
systems on `confirmations`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from workers.db import sql
from workers.domain import requests as rules
from workers.domain.deadlines import deadline
from workers.domain.requests import Move, Reason, RequestState
from workers.engine.database import Connection
from workers.erasure import identities, telling
from workers.erasure.identities import Identities
from workers.erasure.tokens import RequestTokens
from workers.errors import RefusalCode, Refused
from workers.settings import Settings
from workers.vault.keyring import Keyring
from workers.vault.subjects import Subject, SubjectVault

_QUERIES = sql.queries("requests")

Channel = Literal["upstream", "web", "mail", "staff"]


class Opening(NamedTuple):
    """A request as it comes in. `key` is the request's own subject: what it says is sealed under that.

    `verified_by` says who vouches for the person; None: identity must be proven first.
    """

    request_id: UUID
    channel: Channel
    language: str
    known_by: Identities
    key: Subject
    verified_by: str | None


class _Known(NamedTuple):
    """An open request: whether it is proven, by how many identities it knows its person, and which of them."""

    verified: bool
    identities: int
    hashes: set[bytes]


class RequestDesk:
    """One per process. Every method works in the caller's transaction."""

    def __init__(self, vault: SubjectVault, keyring: Keyring, settings: Settings) -> None:
        self.tokens = RequestTokens(keyring)
        self._vault = vault
        self._keyring = keyring
        self._settings = settings
        self._zone = ZoneInfo(settings.time_zone)

    async def key(self, connection: Connection, request_id: UUID) -> Subject:
        """The request's own data key, made where it is new."""
        reference = self._vault.reference_hash(str(request_id))
        return (await self._vault.hold(connection, [reference]))[reference]

    async def take_turn(self, connection: Connection) -> None:
        """Wait for whoever opens requests this moment; `open` does so itself."""
        await connection.execute(_QUERIES["lock_opening"])

    async def open(self, connection: Connection, openings: Sequence[Opening], now: datetime) -> list[UUID]:
        """Open requests; returns those that are new. A request of a person who has an open one joins it."""
        if not openings:
            return []
        await self.take_turn(connection)
        hashes = {one.request_id: identities.hashes(one.known_by, self._vault, self._keyring) for one in openings}
        joined, overtaken = await self._joined(connection, openings, hashes)
        rows = await connection.fetch(
            _QUERIES["insert"], [one.request_id for one in openings], [_first_state(one) for one in openings],
            [one.channel for one in openings], [one.language for one in openings],
            [one.key.subject_id for one in openings],
            [identities.seal(one.known_by, one.key, one.request_id) for one in openings],
            [joined.get(one.request_id) for one in openings], [one.verified_by for one in openings], now,
            [deadline(now, self._zone).ends_at(self._zone)] * len(openings),
        )  # fmt: skip
        new = {row["request_id"] for row in rows}
        known = [(hash_, one) for one, found in hashes.items() if one in new for hash_ in found]
        await connection.execute(
            _QUERIES["insert_identities"], [UUID(bytes=hash_) for hash_, _ in known], [one for _, one in known]
        )
        for earlier, later in overtaken.items():
            if later in new:
                await connection.execute(_QUERIES["join_to"], [earlier], later, now)
        opened = [one for one in openings if one.request_id in new]
        await self._write_down(connection, [_opened(one, joined, now, self._zone) for one in opened], now)
        return [one.request_id for one in opened]

    async def _joined(
        self, connection: Connection, openings: Sequence[Opening], hashes: Mapping[UUID, Sequence[bytes]]
    ) -> tuple[dict[UUID, UUID], dict[UUID, UUID]]:
        """Which new request joins which open one; and which unproven open one joins which new one that is proven.

        Only who says nothing more joins: by what is said besides, a request may mean people that the other does not.
        """
        wanted = sorted({hash_ for found in hashes.values() for hash_ in found})
        rows = await connection.fetch(_QUERIES["open_of_identities"], [UUID(bytes=hash_) for hash_ in wanted])
        known: dict[UUID, _Known] = {}
        for row in rows:
            one = known.setdefault(row["request_id"], _Known(row["verified"], row["identities"], set()))
            one.hashes.add(row["identity_hash"].bytes)
        joined: dict[UUID, UUID] = {}
        overtaken: dict[UUID, UUID] = {}
        for opening in openings:
            mine, is_verified = set(hashes[opening.request_id]), opening.verified_by is not None
            others = {number: one for number, one in known.items() if number != opening.request_id}
            covering = [number for number, one in others.items() if mine <= one.hashes and one.verified >= is_verified]
            if mine and covering:
                joined[opening.request_id] = covering[0]
                continue
            known[opening.request_id] = _Known(is_verified, len(mine), mine)
            for number, one in others.items():
                if is_verified and not one.verified and len(one.hashes & mine) == one.identities:
                    overtaken[number] = opening.request_id
                    known.pop(number)
        return joined, overtaken

    async def load(self, connection: Connection, request_ids: Sequence[UUID]) -> dict[UUID, asyncpg.Record]:
        """These requests, locked until the commit."""
        rows = await connection.fetch(_QUERIES["lock"], sorted(set(request_ids)))
        return {row["request_id"]: row for row in rows}

    async def move(
        self, connection: Connection, request_ids: Sequence[UUID], what: Move, actor: str, now: datetime,
        reason: Reason | None = None, note: str | None = None,
    ) -> dict[UUID, RequestState]:  # fmt: skip
        """Move requests, and those that joined them where they end. Raises Refused with nothing changed."""
        rows = await self.load(connection, request_ids)
        if missing := set(request_ids) - rows.keys():
            raise Refused(RefusalCode.REQUEST_UNKNOWN, f"{len(missing)} of these requests are not known")
        changes = [_moved(row, what, actor, reason, note) for row in rows.values()]
        if any(change.closed for change in changes):
            followers = await connection.fetch(_QUERIES["joined_to"], list(rows))
            changes += [_followed(row, what, actor, changes) for row in followers]
        await connection.execute(
            _QUERIES["move"], [one.request_id for one in changes], [one.state for one in changes],
            [one.reason for one in changes], now,
        )  # fmt: skip
        if what is Move.VERIFY:
            await connection.execute(_QUERIES["verified"], list(rows), now, actor)
        ended = [one.request_id for one in changes if one.closed]
        await connection.execute(_QUERIES["forget_identities"], ended)
        await connection.execute(_QUERIES["forget_tokens"], ended)
        await self._write_down(connection, changes, now)
        return {one.request_id: one.state for one in changes}

    async def _write_down(self, connection: Connection, changes: Sequence[telling.Change], now: datetime) -> None:
        """Into the request's history, and out to the shop's systems."""
        if not changes:
            return
        rows = await connection.fetch(
            _QUERIES["record"], [one.request_id for one in changes], [one.move for one in changes],
            [one.state for one in changes], [one.reason for one in changes], [one.actor for one in changes],
            [one.note for one in changes], now,
        )  # fmt: skip
        numbers = {row["request_id"]: row["request_event_id"] for row in rows}
        await telling.tell(connection, self._settings, changes, numbers, now)

    async def verify_by_link(self, connection: Connection, token: str, now: datetime) -> UUID | None:
        """For the POST of the page behind the link: use it up. None: unknown, used, expired, or no longer needed."""
        request_id = await self.tokens.use(connection, token, now)
        if request_id is None:
            return None
        row = (await self.load(connection, [request_id]))[request_id]
        if row["state"] != RequestState.IDENTITY_NEEDED or row["joined"] is not None:
            return None
        await self.move(connection, [request_id], Move.VERIFY, "link to the address on file", now)
        return request_id

    @property
    def link_lifetime(self) -> timedelta:
        """How long a link that proves identity works."""
        return timedelta(hours=self._settings.identity_hours)


def _first_state(one: Opening) -> RequestState:
    return RequestState.IN_PROGRESS if one.verified_by is not None else RequestState.IDENTITY_NEEDED


def _opened(one: Opening, joined: Mapping[UUID, UUID], now: datetime, zone: ZoneInfo) -> telling.Change:
    is_duplicate = one.request_id in joined
    return telling.Change(
        one.request_id, "erasure", "open", _first_state(one), Reason.DUPLICATE if is_duplicate else None,
        one.verified_by or one.channel, None, now, deadline(now, zone).ends_at(zone), None,
    )  # fmt: skip


def _moved(
    row: asyncpg.Record, what: Move, actor: str, reason: Reason | None, note: str | None
) -> telling.Change:  # fmt: skip
    state = rules.move(RequestState(row["state"]), what, begun=row["step"] != "none")
    return telling.Change(
        row["request_id"], row["request_type"], what, state, reason, actor, note, row["received_at"], row["due_at"],
        row["certificate"],
    )  # fmt: skip


def _followed(row: asyncpg.Record, what: Move, actor: str, changes: Sequence[telling.Change]) -> telling.Change:
    """A request that joined another ends with it, in the same way."""
    leader = next(one for one in changes if one.request_id == row["joined"])
    return telling.Change(
        row["request_id"], row["request_type"], what, leader.state, leader.reason, actor, None, row["received_at"],
        row["due_at"], leader.certificate,
    )  # fmt: skip
