"""The search against a log held in memory: it finds the age of the first unread record, in few questions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.engine.lag_search import TOLERANCE_MS, TOLERANCE_RATIO, AgeSearch, search_for

NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000
MAX_QUESTIONS = 25

Log = list[tuple[int, int]]
"""(offset, timestamp in ms), both rising, as a partition holds them."""


def solve(log: Log, target: int) -> tuple[float, int]:
    """The age found, and how many questions it took."""
    search = AgeSearch(target, NOW_MS)
    questions = 0
    while not search.done:
        questions += 1
        assert questions <= MAX_QUESTIONS
        found = next((record for record in log if record[1] >= search.probe_ms), (None, None))
        search.answer(*found)
    return search.age_s(), questions


def log_of(*ages_s: float) -> Log:
    return [(offset, NOW_MS - int(age_s * 1000)) for offset, age_s in enumerate(ages_s)]


@pytest.mark.parametrize("target", range(5))
def test_finds_the_age_of_the_record_read_next(target: int) -> None:
    ages = (90_000.0, 7_200.0, 61.5, 2.25, 0.004)
    age, _ = solve(log_of(*ages), target)
    assert age == pytest.approx(ages[target], rel=0.011, abs=0.02)


def test_a_batch_shares_one_timestamp() -> None:
    log = log_of(500, 100, 100, 100, 3)
    assert solve(log, 2)[0] == pytest.approx(100, rel=0.011)
    assert solve(log, 3)[0] == pytest.approx(100, rel=0.011)


def test_a_target_below_the_log_takes_the_first_record_there_is() -> None:
    log = [(10, NOW_MS - 4_000), (11, NOW_MS - 1_000)]
    assert solve(log, 3)[0] == 4.0


def test_nothing_at_or_after_the_target_is_no_lag() -> None:
    assert solve([], 0)[0] == 0.0


def test_a_record_from_a_clock_ahead_of_ours_is_not_of_negative_age() -> None:
    assert solve([(0, NOW_MS + 5_000)], 0)[0] == 0.0


@given(st.lists(st.integers(0, 14 * DAY_MS), min_size=1, max_size=40), st.data())
def test_never_too_young_and_hardly_too_old(ages_ms: list[int], data: st.DataObject) -> None:
    log = [(offset, NOW_MS - age_ms) for offset, age_ms in enumerate(sorted(ages_ms, reverse=True))]
    target = data.draw(st.integers(0, len(log) - 1))
    true_age_ms = NOW_MS - log[target][1]
    found_ms = solve(log, target)[0] * 1000
    slack_ms = max(TOLERANCE_MS, true_age_ms * TOLERANCE_RATIO) + 1
    assert true_age_ms - 0.001 <= found_ms <= true_age_ms + slack_ms


def test_caught_up_needs_no_question() -> None:
    assert search_for(committed=7, end=7, now_ms=NOW_MS, transactional=False) is None


def test_one_message_behind_is_behind() -> None:
    search = search_for(committed=6, end=7, now_ms=NOW_MS, transactional=False)
    assert search is not None
    assert search.target == 6


def test_the_marker_that_ends_a_transaction_is_no_lag() -> None:
    assert search_for(committed=6, end=7, now_ms=NOW_MS, transactional=True) is None


def test_on_a_transactional_topic_the_age_is_that_of_what_follows_a_marker() -> None:
    search = search_for(committed=6, end=9, now_ms=NOW_MS, transactional=True)
    assert search is not None
    assert search.target == 7
