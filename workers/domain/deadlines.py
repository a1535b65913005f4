"""Until when a request must be answered: one month by calendar, in the controller's time zone.

GDPR 12(3): within one month of receipt, extended by two further months where the person is told why within the first.
Regulation (EEC, Euratom) 1182/71, article 3: a period in months ends with the last hour of the day that has the same
date as the day of receipt; where that month has no such day, of its last day. Where the last day is a weekend or a
holiday, 3(4) allows until the end of the next working day: Lethe does not use that, and is never later for it.
The month runs while the person is asked for identity, too: asking late must not gain time.
"""

import calendar
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

WARNING_DAYS = (10, 5, 2, 0, -1)
"""Staff are told when so many days are left; 0 is the last day, below it the deadline was missed."""
_MONTHS, _EXTENSION_MONTHS = 1, 2


class Deadline(NamedTuple):
    """The last day for the answer (all of it), and whether it was put off."""

    received_on: date
    due_on: date
    extended: bool

    def ends_at(self, zone: tzinfo) -> datetime:
        """The end of the last day, in UTC: the answer must be out before it."""
        return end_of(self.due_on, zone)

    def days_left(self, now: datetime, zone: tzinfo) -> int:
        """Whole days after today: 0 on the last day, below 0 when it was missed."""
        return (self.due_on - now.astimezone(zone).date()).days

    def warning(self, now: datetime, zone: tzinfo) -> int | None:
        """The last of WARNING_DAYS that was reached; None while there is time. Each is worth one mail."""
        left = self.days_left(now, zone)
        return min((days for days in WARNING_DAYS if left <= days), default=None)


def deadline(received_at: datetime, zone: tzinfo, *, extended: bool = False) -> Deadline:
    """The deadline of a request that reached the controller at this moment.

    The two further months run from the end of the first: on the few days where counting three months from the receipt
    would end later, the earlier day holds.
    """
    received_on = received_at.astimezone(zone).date()
    due_on = add_months(received_on, _MONTHS)
    return Deadline(received_on, add_months(due_on, _EXTENSION_MONTHS) if extended else due_on, extended)


def may_extend(received_at: datetime, now: datetime, zone: tzinfo) -> bool:
    """Whether the person can still be told of an extension within the first month, as 12(3) demands."""
    return now < deadline(received_at, zone).ends_at(zone)


def end_of(day: date, zone: tzinfo) -> datetime:
    """The last moment of a day in this zone, which is the first of the next one, in UTC."""
    return datetime.combine(day + timedelta(days=1), time(0), zone).astimezone(UTC)


def add_months(day: date, months: int) -> date:
    """The same date so many months later, or the last day of that month where it has none."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
