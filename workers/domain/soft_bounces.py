"""When mails that come back for now have come back too often."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

LIMIT: Final = 5
_APART: Final = timedelta(days=1)
_FORGOTTEN_AFTER: Final = timedelta(days=45)
"""Longer than the pause between two weekly issues, holidays included."""


class Counted(NamedTuple):
    """How many days brought one, the last of them, and whether the address is given up."""

    total: int
    last_at: datetime
    is_given_up: bool


def count(before: int, last_at: datetime | None, now: datetime) -> Counted:
    """One more. Several of a day are one, as a server that is down returns all of them; a long quiet time is a new
    beginning."""
    if last_at is not None and now - last_at < _APART:
        return Counted(before, last_at, False)
    fresh = last_at is None or now - last_at > _FORGOTTEN_AFTER
    total = 1 if fresh else before + 1
    return Counted(total, now, total >= LIMIT)
