"""When the next issue goes out, also where clocks are put forward and back."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.domain.schedule import Weekday, local, next_slot

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("now", "weekday", "hour", "expected"),
    [
        ("2026-11-25T12:00", Weekday.THURSDAY, 9, "2026-11-26T08:00"),
        ("2026-11-26T08:00", Weekday.THURSDAY, 9, "2026-12-03T08:00"),
        ("2026-11-26T07:59", Weekday.THURSDAY, 9, "2026-11-26T08:00"),
        ("2026-03-28T12:00", Weekday.SUNDAY, 2, "2026-03-29T01:00"),  # 02:00 is skipped that night
        ("2026-10-24T12:00", Weekday.SUNDAY, 2, "2026-10-25T00:00"),  # 02:00 is shown twice: the first
        ("2026-07-01T12:00", Weekday.THURSDAY, 9, "2026-07-02T07:00"),
    ],
)
def test_the_slot_is_the_shops_hour(now: str, weekday: Weekday, hour: int, expected: str) -> None:
    found = next_slot(datetime.fromisoformat(now).replace(tzinfo=UTC), weekday, hour, PARIS)
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)), st.sampled_from(Weekday), st.integers(0, 23))
def test_there_is_one_within_eight_days(now: datetime, weekday: Weekday, hour: int) -> None:
    aware = now.replace(tzinfo=UTC)
    waiting = next_slot(aware, weekday, hour, PARIS) - aware
    assert 0 < waiting.total_seconds() <= 8 * 86400


def test_a_time_is_read_as_the_shop_writes_it() -> None:
    assert local("2026-12-01 09:00", PARIS) == datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert local("2026-12-01T09:00+00:00", PARIS) == datetime(2026, 12, 1, 9, tzinfo=UTC)
    with pytest.raises(ValueError, match="isoformat"):
        local("tomorrow", PARIS)
