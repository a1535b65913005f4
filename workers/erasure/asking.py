"""A person asks to be erased, on a page or by mail. Who is known by an address gets a link, sent to that address alone.

Whoever asks learns nothing: somebody unknown waits for the same lock and counts the same floods as somebody known.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from workers.consent.floods import Floods
from workers.domain.requests import RequestState
from workers.engine.database import Connection
from workers.erasure import identities
from workers.erasure.account_tokens import Account
from workers.erasure.desk import Channel, Opening, RequestDesk
from workers.erasure.identities import Identities
from workers.erasure.letters import RequestLetters
from workers.erasure.people import People
from workers.settings import Settings

_PER_DAY = 3
_DAY_S = 86_400
_TEMPLATE = "request_identity"
ACCOUNT = "account token"


class Outcome(StrEnum):
    """What became of it; for the postbox and its metrics, never for the person."""

    LINK_SENT = "link_sent"
    JOINED = "joined"
    """A request of theirs needs no link from this mailbox: it is being worked on, or knows them by more than that."""
    TOO_OFTEN = "too_often"
    UNKNOWN = "unknown"


class Asking:
    """One per process. Every method works in the caller's transaction."""

    def __init__(
        self, desk: RequestDesk, people: People, letters: RequestLetters, floods: Floods, settings: Settings
    ) -> None:
        self._desk = desk
        self._people = people
        self._letters = letters
        self._floods = floods
        self._settings = settings

    async def by_address(
        self, connection: Connection, email: str, channel: Channel, language: str, now: datetime
    ) -> Outcome:
        """Open a request of whoever is known by this normalised address, and send the link that proves identity."""
        await self._desk.take_turn(connection)  # before the look-up: how long this takes must not tell who is known
        allowed = await self._floods.allow(connection, "erasure_link", email, _PER_DAY, _DAY_S, now)
        request_id, known_by = uuid4(), Identities((email,))
        found = await self._people.subjects_of(connection, {request_id: known_by})
        if not found[request_id]:
            return Outcome.UNKNOWN
        if not allowed:
            return Outcome.TOO_OFTEN
        await self._open(connection, request_id, channel, language, known_by, None, now)
        return await self._send_link(connection, request_id, known_by, language, now)

    async def by_account(self, connection: Connection, account: Account, language: str, now: datetime) -> None:
        """Open a request of whoever the shop's account page vouches for: it needs no other proof."""
        known_by = Identities(() if account.email is None else (account.email,), (account.reference,))
        await self._open(connection, uuid4(), "web", language, known_by, ACCOUNT, now)

    async def _open(
        self, connection: Connection, request_id: UUID, channel: Channel, language: str, known_by: Identities,
        verified_by: str | None, now: datetime,
    ) -> None:  # fmt: skip
        key = await self._desk.key(connection, request_id)
        await self._desk.open(
            connection, [Opening(request_id, channel, language, known_by, key, verified_by)], now
        )  # fmt: skip

    async def _send_link(
        self, connection: Connection, request_id: UUID, known_by: Identities, language: str, now: datetime
    ) -> Outcome:
        """For this request, or the one that it joined while that still needs identity."""
        row = (await self._desk.load(connection, [request_id]))[request_id]
        if row["joined"] is not None:
            request_id = row["joined"]
            row = (await self._desk.load(connection, [request_id]))[request_id]
        key = await self._desk.key(connection, request_id)
        if row["state"] != RequestState.IDENTITY_NEEDED:
            return Outcome.JOINED
        if identities.unseal(row["sealed"], key, request_id) != known_by:
            return Outcome.JOINED  # one mailbox proves nothing about the other addresses that staff put in with it
        token = await self._desk.tokens.issue(connection, request_id, now, self._desk.link_lifetime)
        values = {
            "date": self._letters.day(now), "hours": str(self._settings.identity_hours),
            "url": f"{self._settings.public_url}/erasure/{token}",
        }  # fmt: skip
        await self._letters.post(connection, _TEMPLATE, key, known_by, language, values, now)
        return Outcome.LINK_SENT
