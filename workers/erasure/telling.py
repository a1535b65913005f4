"""What the shop's systems are told about a request, on `confirmations`: outcome and references, no personal data."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from schemas.request import RequestChanged
from workers.domain.requests import OPEN, RequestState
from workers.engine import relay
from workers.engine.database import Connection
from workers.engine.outbox import Message
from workers.settings import Settings

_SHARD = 0


class Change(NamedTuple):
    """One move of one request."""

    request_id: UUID
    request_type: str
    move: str
    state: RequestState
    reason: str | None
    actor: str
    note: str | None
    received_at: datetime
    due_at: datetime
    certificate: int | None

    @property
    def closed(self) -> bool:
        """Whether the request has ended with it."""
        return self.state not in OPEN


async def tell(
    connection: Connection, settings: Settings, changes: Sequence[Change], numbers: Mapping[UUID, int], now: datetime
) -> None:
    """Put these into the outbox. `numbers` tells one move of a request from the next."""
    topic = settings.topic("confirmations")
    messages = [
        Message(
            None, topic, str(one.request_id), "request.changed", f"{one.request_id}.{numbers[one.request_id]}",
            _body(one),
        )
        for one in changes
    ]  # fmt: skip
    await relay.add(connection, settings, _SHARD, now, messages)


def _body(one: Change) -> bytes:
    changed = RequestChanged.model_validate(
        {
            "subject_request_id": one.request_id,
            "subject_request_type": one.request_type,
            "request_status": str(one.state),
            "reason": None if one.reason is None else str(one.reason),
            "received_time": one.received_at,
            "expected_completion_time": one.due_at,
            "certificate": one.certificate,
        }
    )
    return RequestChanged.__pydantic_serializer__.to_json(changed, exclude_none=True)
