"""One month by calendar, to the end of the last day, where the controller is."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.domain.deadlines import WARNING_DAYS, add_months, deadline, may_extend

PARIS, AUCKLAND, HONOLULU = (ZoneInfo(name) for name in ("Europe/Paris", "Pacific/Auckland", "Pacific/Honolulu"))
ZONES = st.sampled_from([PARIS, AUCKLAND, HONOLULU, ZoneInfo("UTC")])
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))
NOON = "T12:00:00+00:00"


@pytest.mark.parametrize(
    ("received", "due", "extended"),
    [
        ("2026-03-05", "2026-04-05", "2026-06-05"),  # a Sunday: the next working day would be allowed, and is not used
        ("2026-01-31", "2026-02-28", "2026-04-28"),
        ("2028-01-30", "2028-02-29", "2028-04-29"),
        ("2026-08-31", "2026-09-30", "2026-11-30"),
        ("2026-11-30", "2026-12-30", "2027-02-28"),
        ("2026-12-01", "2027-01-01", "2027-03-01"),
        ("2026-02-28", "2026-03-28", "2026-05-28"),
    ],
)
def test_it_is_the_same_date_of_the_next_month_or_the_last_one(received: str, due: str, extended: str) -> None:
    at = datetime.fromisoformat(received + NOON)
    assert str(deadline(at, PARIS).due_on) == due
    assert str(deadline(at, PARIS, extended=True).due_on) == extended


def test_the_day_of_receipt_is_the_controllers() -> None:
    at = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
    assert deadline(at, PARIS).due_on == date(2026, 5, 1), "in Paris it is April already"
    assert deadline(at, HONOLULU).due_on == date(2026, 4, 30)


def test_the_last_day_counts_to_its_end_also_when_the_clocks_change_on_it() -> None:
    assert deadline(datetime(2026, 2, 28, 12, tzinfo=UTC), PARIS).ends_at(PARIS) == datetime(
        2026, 3, 28, 23, tzinfo=UTC
    )
    spring = deadline(datetime(2026, 3, 1, 12, tzinfo=UTC), PARIS)
    assert spring.ends_at(PARIS) == datetime(2026, 4, 1, 22, tzinfo=UTC)
    change = deadline(datetime(2026, 2, 28, 23, 30, tzinfo=UTC), PARIS)._replace(due_on=date(2026, 3, 29))
    assert change.ends_at(PARIS) - datetime(2026, 3, 28, 23, tzinfo=UTC) == timedelta(hours=23)


@given(MOMENTS, ZONES)
def test_it_is_never_later_than_a_month_nor_earlier_than_28_days(received_at: datetime, zone: ZoneInfo) -> None:
    due = deadline(received_at, zone)
    assert 28 <= (due.due_on - due.received_on).days <= 31
    assert due.due_on.day == due.received_on.day or (due.due_on + timedelta(days=1)).day == 1
    assert received_at + timedelta(days=28) < due.ends_at(zone) <= received_at + timedelta(days=32, hours=1)
    extended = deadline(received_at, zone, extended=True)
    assert due.due_on < extended.due_on <= add_months(due.received_on, 3)


@given(MOMENTS, ZONES, st.integers(-40, 100))
def test_days_left_reach_0_on_the_last_day_and_the_end_comes_after_it(
    received_at: datetime, zone: ZoneInfo, hours: int
) -> None:
    due = deadline(received_at, zone)
    now = due.ends_at(zone) + timedelta(hours=hours)
    assert (due.days_left(now, zone) < 0) is (now >= due.ends_at(zone))
    tomorrow = datetime.combine(now.astimezone(zone).date() + timedelta(days=1), time(12), zone)
    assert due.days_left(now, zone) == due.days_left(tomorrow, zone) + 1


@pytest.mark.parametrize(
    ("left", "told"),
    [(31, None), (11, None), (10, 10), (6, 10), (5, 5), (3, 5), (2, 2), (1, 2), (0, 0), (-1, -1), (-9, -1)],
)  # fmt: skip
def test_staff_are_told_once_per_step(left: int, told: int | None) -> None:
    due = deadline(datetime(2026, 3, 5, 12, tzinfo=UTC), PARIS)
    now = datetime(2026, 4, 5, 12, tzinfo=UTC) - timedelta(days=left)
    assert due.days_left(now, PARIS) == left
    assert due.warning(now, PARIS) == told
    assert told is None or told in WARNING_DAYS


def test_an_extension_is_possible_within_the_first_month_only() -> None:
    received_at = datetime(2026, 3, 5, 12, tzinfo=UTC)
    end = deadline(received_at, PARIS).ends_at(PARIS)
    assert may_extend(received_at, end - timedelta(seconds=1), PARIS)
    assert not may_extend(received_at, end, PARIS)
