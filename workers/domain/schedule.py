"""When the next issue goes out: a weekday and an hour in the controller's own time zone."""

from datetime import UTC, datetime, time, timedelta
from enum import IntEnum
from zoneinfo import ZoneInfo


class Weekday(IntEnum):
    """As `date.weekday()` counts."""

    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6


def next_slot(now: datetime, weekday: Weekday, hour: int, zone: ZoneInfo) -> datetime:
    """The first such hour after `now`, in UTC.

    Of an hour that the clock shows twice it is the first; one that it skips is taken an hour later, as clocks do.
    """
    day = now.astimezone(zone).date()
    while True:
        if day.weekday() == weekday:
            slot = datetime.combine(day, time(hour), zone).astimezone(UTC)
            if slot > now:
                return slot
        day += timedelta(days=1)


def local(text: str, zone: ZoneInfo) -> datetime:
    """A time as a person of the shop writes it, `2026-12-01 09:00`, in UTC. ValueError for anything else."""
    said = datetime.fromisoformat(text)
    return (said if said.tzinfo else said.replace(tzinfo=zone)).astimezone(UTC)
