"""When an address is given up."""

from datetime import UTC, datetime, timedelta

from workers.domain import soft_bounces

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def days_until_given_up(pause: timedelta) -> int:
    total, last_at, now = 0, None, NOW
    for number in range(1, 100):
        total, last_at, given_up = soft_bounces.count(total, last_at, now)
        if given_up:
            return number
        now += pause
    return 0


def test_five_weekly_issues_that_come_back_are_enough() -> None:
    assert days_until_given_up(timedelta(days=7)) == 5


def test_a_server_that_is_down_for_a_day_costs_nobody_their_subscription() -> None:
    total, last_at, _ = soft_bounces.count(0, None, NOW)
    for minute in range(1000):
        total, last_at, given_up = soft_bounces.count(total, last_at, NOW + timedelta(minutes=minute))
        assert not given_up
    assert total == 1


def test_after_a_long_quiet_time_it_begins_anew() -> None:
    assert days_until_given_up(timedelta(days=50)) == 0
    assert soft_bounces.count(4, NOW - timedelta(days=50), NOW).total == 1
