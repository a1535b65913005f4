"""The guard stops a worker that would drain its topic into the dead letters, and lets single bad events pass."""

import random

import pytest

from workers.engine.parking import ParkingGuard
from workers.errors import ParkingLimit, RefusalCode, Stop
from workers.settings import Settings

BAD, WORSE, GOOD = RefusalCode.INVALID_FIELD, RefusalCode.UNKNOWN_CARRIER, None


def guard(consecutive: int = 5, ratio: float = 0.5, window: int = 100) -> ParkingGuard:
    settings = Settings(parking_max_consecutive=consecutive, parking_max_ratio=ratio, parking_window=window)
    return ParkingGuard(settings)


def commit(watch: ParkingGuard, *outcomes: RefusalCode | None) -> None:
    watch.accept(watch.check(outcomes))


def test_refusals_in_a_row_stop_the_worker() -> None:
    with pytest.raises(ParkingLimit):
        guard(5).check([GOOD, *[BAD] * 5, GOOD])


def test_one_less_does_not() -> None:
    commit(guard(5), *[BAD] * 4, GOOD, *[BAD] * 4)


def test_the_row_goes_on_over_batches() -> None:
    watch = guard(5)
    commit(watch, GOOD, BAD, BAD, BAD)
    commit(watch, BAD)
    with pytest.raises(ParkingLimit):
        watch.check([BAD])


def test_one_good_event_begins_the_row_anew() -> None:
    watch = guard(5)
    commit(watch, *[BAD] * 4)
    commit(watch, GOOD)
    commit(watch, *[BAD] * 4)


def test_a_batch_that_is_tried_again_counts_once() -> None:
    watch = guard(5)
    for _ in range(3):
        standing = watch.check([BAD, BAD])
    watch.accept(standing)
    commit(watch, BAD, BAD)
    with pytest.raises(ParkingLimit):
        watch.check([BAD])


def test_a_batch_that_stopped_the_worker_was_not_counted() -> None:
    watch = guard(5)
    with pytest.raises(ParkingLimit):
        watch.check([BAD] * 5)
    commit(watch, *[BAD] * 4)


def test_a_share_that_is_too_large_stops_the_worker() -> None:
    watch = guard(1000, ratio=0.5, window=100)
    commit(watch, *[BAD, GOOD] * 50)
    with pytest.raises(ParkingLimit):
        watch.check([BAD, BAD])


def test_the_share_is_looked_at_only_when_the_window_is_full() -> None:
    watch = guard(1000, ratio=0.5, window=100)
    commit(watch, *[BAD, BAD, GOOD] * 33)
    with pytest.raises(ParkingLimit):
        watch.check([BAD])


def test_old_outcomes_leave_the_window() -> None:
    watch = guard(1000, ratio=0.5, window=100)
    commit(watch, *[BAD] * 50, *[GOOD] * 50)
    commit(watch, *[GOOD] * 50)
    commit(watch, *[BAD] * 50)


def test_a_batch_without_refusals_never_stops_the_worker() -> None:
    watch = guard(1000, ratio=0.5, window=100)
    commit(watch, *[BAD, BAD, GOOD] * 33)
    commit(watch, GOOD)


def test_the_message_names_the_code_and_what_to_do() -> None:
    with pytest.raises(ParkingLimit, match=r"5 refusals in a row .* mostly unknown_carrier \(4 times\)") as raised:
        guard(5).check([BAD, *[WORSE] * 4])
    assert "LETHE_PARKING_MAX_CONSECUTIVE" in str(raised.value)
    assert isinstance(raised.value, Stop)


def test_one_bad_event_in_a_hundred_never_stops_it() -> None:
    rng, watch = random.Random(1), guard(20, ratio=0.5, window=100)
    for _ in range(100):
        commit(watch, *[BAD if rng.random() < 0.01 else GOOD for _ in range(50)])
