"""The requests agent.

consumes  `requests`: erasure.requested, erasure.cancelled, from the shop's account page, which has authenticated them
decides   whether it is a new request, one that joins an open one, or one that comes too late
emits     `confirmations`: request.changed
keeps     one row per request; who is meant is sealed under a key of the request's own
"""

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

import asyncpg

from schemas.request import ErasureRequested, RequestCancelled
from workers.domain import requests as rules
from workers.domain.email_address import normalise
from workers.domain.requests import Move, RequestState
from workers.engine.admission import Event
from workers.engine.database import Connection
from workers.engine.outbox import Message
from workers.erasure.desk import Opening, RequestDesk
from workers.erasure.identities import Identities
from workers.errors import RefusalCode, Refused
from workers.vault.subjects import Subject

NAME = "requests"
TOPIC = "requests"
ACTOR = "the shop's account page"


class RequestsUnit:
    """One attempt to apply a batch of requests (engine.unit.UnitOfWork)."""

    def __init__(self, desk: RequestDesk) -> None:
        self._desk = desk
        self._known: dict[UUID, asyncpg.Record] = {}
        self._openings: dict[UUID, Opening] = {}
        self._cancelled: list[UUID] = []

    async def load(self, connection: Connection, events: Sequence[tuple[Event, Subject]]) -> None:
        """Read the requests that these events name, locked until the commit."""
        self._known = await self._desk.load(connection, [_request(event).subject_request_id for event, _ in events])

    def handle(self, event: Event, subject: Subject) -> list[Message]:
        """Take one request in. Raises Refused with nothing changed."""
        request = _request(event)
        request_id = request.subject_request_id
        if event.record.key != str(request_id).encode():
            raise Refused(RefusalCode.KEY_INVALID, "the record's key is not the subject_request_id in its body", "key")
        if isinstance(request, ErasureRequested):
            if request_id not in self._known:
                known_by = _identities(request)
                self._openings.setdefault(
                    request_id, Opening(request_id, "upstream", request.language, known_by, subject, ACTOR)
                )
            return []
        self._cancel(request_id)
        return []

    def _cancel(self, request_id: UUID) -> None:
        if self._openings.pop(request_id, None) is not None:
            return  # taken back before it was begun: nothing is kept of it
        row = self._known.get(request_id)
        if row is None:
            raise Refused(RefusalCode.REQUEST_UNKNOWN, "no request has this number", "subject_request_id")
        if request_id not in self._cancelled:
            rules.move(RequestState(row["state"]), Move.CANCEL, begun=row["step"] != "none")
            self._cancelled.append(request_id)

    async def store(self, connection: Connection, now: datetime) -> None:
        """Open and cancel."""
        await self._desk.open(connection, list(self._openings.values()), now)
        if self._cancelled:
            await self._desk.move(connection, self._cancelled, Move.CANCEL, ACTOR, now)


def _request(event: Event) -> ErasureRequested | RequestCancelled:
    return cast(ErasureRequested | RequestCancelled, event.data)  # admission lets only events of the topic through


def _identities(request: ErasureRequested) -> Identities:
    """Raises Refused where an address is none that mail could be sent to."""
    given = request.subject_identities
    emails = dict.fromkeys(normalise(one.identity_value) for one in given if one.identity_type == "email")
    references = dict.fromkeys(one.identity_value for one in given if one.identity_type == "controller_customer_id")
    return Identities(tuple(emails), tuple(references))
