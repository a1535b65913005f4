"""The notice that an event was parked: position, field and rule; the event itself stays sealed elsewhere."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from schemas import base

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,63}$", max_length=64)]
TopicName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,249}$", max_length=249)]


def _about(description: str) -> object:
    return base.plain(description, base.RECORDS, base.LEGITIMATE_INTEREST)


class DeadLetterParked(base.Contract):
    """An event was refused and parked. No payload, no personal data."""

    dead_letter_id: Annotated[UUID, _about("The parked event; what `lethe dlq show` takes.")]
    code: Annotated[Code, _about("Why, as a stable code.")]
    reason: Annotated[str, base.text(2000, min_length=1), _about("Why, in plain words, without any value.")]
    field: Annotated[
        Annotated[str, base.text(255, min_length=1)] | None, _about("The field in question, a dotted path.")
    ] = None
    source_topic: Annotated[TopicName, _about("Topic that the event was read from.")]
    source_partition: Annotated[int, Field(ge=0), _about("Partition that the event was read from.")]
    source_offset: Annotated[int, Field(ge=0), _about("Offset that the event was read from.")]
    parked_at: Annotated[datetime, AwareDatetime, _about("When it was parked, RFC 3339 with zone.")]
