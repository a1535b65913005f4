"""The request desk in the small world: opens requests and moves them by the domain's rules."""

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from tests.model.database import Database, RequestRow, Told
from tests.model.engine import add_to_relay
from workers.domain import requests as rules
from workers.domain.deadlines import deadline
from workers.domain.requests import OPEN, Move, Reason, RequestState
from workers.engine.outbox import Message

if TYPE_CHECKING:
    from tests.model.world import World

ZONE = ZoneInfo("Europe/Paris")
WAIT = timedelta(days=14)


def open_request(
    world: "World", draft: Database, number: UUID, emails: tuple[str, ...], references: tuple[str, ...], verified: bool
) -> None:
    """Open a request; one of a person who has an open one joins it, unless only the new one is proven."""
    if number in draft.requests:
        return
    identities = {*emails, *references}
    joined, overtaken = _joined(draft, identities, verified)
    state = RequestState.IN_PROGRESS if verified else RequestState.IDENTITY_NEEDED
    due_at = deadline(world.now, ZONE).ends_at(ZONE)
    reason = Reason.DUPLICATE if joined else None
    draft.requests[number] = RequestRow(
        number, state, emails, references, world.now, due_at, verified, joined, reason=reason
    )  # fmt: skip
    draft.known_by |= {(one, number) for one in identities}
    for row in list(draft.requests.values()):
        if row.closed_at is None and (row.request_id in overtaken or row.joined in overtaken):
            draft.requests[row.request_id] = row._replace(joined=number)
    _tell(world, draft, draft.requests[number])


def _joined(draft: Database, identities: set[str], verified: bool) -> tuple[UUID | None, set[UUID]]:
    """The open request that a new one joins; else the unproven ones that join it."""
    leading = [row for row in draft.requests.values() if row.closed_at is None and row.joined is None]
    overtaken = set()
    for identity in sorted(identities):
        known = [row for row in leading if (identity, row.request_id) in draft.known_by]
        earlier = min(known, key=lambda row: row.received_at, default=None)
        if earlier is None:
            continue
        if earlier.is_verified or not verified:
            return earlier.request_id, set()
        overtaken.add(earlier.request_id)
    return None, overtaken


def move(
    world: "World", draft: Database, number: UUID, what: Move, reason: Reason | None = None
) -> None:  # fmt: skip
    """Move a request, and those that joined it where it ends. Raises Refused with nothing changed."""
    row = draft.requests[number]
    state = rules.move(row.state, what, begun=row.step != "none")
    _change(world, draft, row, state, reason, what)
    if state not in OPEN:
        for follower in [one for one in draft.requests.values() if one.joined == number]:
            if follower.closed_at is None or follower.state is RequestState.PARTLY_COMPLETED:
                _change(world, draft, follower, state, reason, what)


def _change(
    world: "World", draft: Database, row: RequestRow, state: RequestState, reason: Reason | None, what: Move
) -> None:  # fmt: skip
    closed = state not in OPEN
    draft.told.append(Told(row.request_id, row.state, state, row.step))
    after = row._replace(
        state=state, reason=reason, closed_at=world.now if closed else None,
        is_verified=row.is_verified or what is Move.VERIFY,
    )  # fmt: skip
    draft.requests[row.request_id] = after
    if closed:
        draft.known_by = {known for known in draft.known_by if known[1] != row.request_id}
    _tell(world, draft, after)


def _tell(world: "World", draft: Database, row: RequestRow) -> None:
    body = orjson.dumps({"state": row.state, "certificate": row.certificate})
    event_id = f"{row.request_id}.{next(world.numbers)}"
    add_to_relay(world, draft, [Message(None, "confirmations", str(row.request_id), "request.changed", event_id, body)])
