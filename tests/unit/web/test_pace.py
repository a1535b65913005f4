"""Answers leave on the beat."""

import pytest

from workers.web import pace


@pytest.mark.parametrize("elapsed_s", [0.0, 0.001, 0.1, 0.249, 0.26, 1.4])
def test_work_and_rest_are_whole_beats(elapsed_s: float) -> None:
    beats = (elapsed_s + pace.rest_s(elapsed_s)) / pace.BEAT_S
    assert abs(beats - round(beats)) < 1e-9
    assert beats > 0


def test_quick_and_slow_work_within_a_beat_end_together() -> None:
    assert 0.002 + pace.rest_s(0.002) == pytest.approx(0.2 + pace.rest_s(0.2))
