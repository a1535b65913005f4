"""The whole domain under everything that may happen, in any order; and that the machine comes where it matters."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.events import REACHED
from tests.model.machine import Lethe

_UNHURRIED = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
BOUNDED = settings(
    max_examples=500, stateful_step_count=60, derandomize=True, database=None, deadline=None,
    suppress_health_check=_UNHURRIED, phases=[Phase.generate, Phase.shrink],
)  # fmt: skip
LONG = settings(
    max_examples=20_000, stateful_step_count=120, database=None, deadline=None, suppress_health_check=_UNHURRIED,
    print_blob=True,
)  # fmt: skip
RARE = (
    "a certificate says completed",
    "a certificate says partly_completed",
    "a crash between commit and publication",
    "a process that was replaced is refused",
    "a worker that takes its time to publish",
    "a record was parked subject_erased",
    "a record was parked subject_fenced",
    "a request ends refused",
    "a request ends on_hold",
    "a store lied",
    "a store said present after an erasure",
    "an event is published again after an erasure",
    "an event of before an erasure arrives after it",
    "an issue reached somebody",
)


def test_whatever_happens_the_promises_hold_and_the_rare_ways_are_gone() -> None:
    before = REACHED.copy()
    run_state_machine_as_test(Lethe, settings=BOUNDED)
    assert not [one for one in RARE if REACHED[one] == before[one]], REACHED - before


@pytest.mark.torture
def test_whatever_happens_for_long_the_promises_hold() -> None:
    run_state_machine_as_test(Lethe, settings=LONG)
