"""What a store's answer means, for every state, question and answer: only its own later look is proof."""

import itertools
from datetime import timedelta
from typing import get_args

import pytest

from schemas.store import Action, Outcome
from workers.domain.store_progress import STILL_THERE, StoreState, after, meant, pause

ACTIONS, OUTCOMES = get_args(Action), get_args(Outcome)
AT_ONCE = timedelta(0)
ERASURE = dict.fromkeys(OUTCOMES, (StoreState.TO_VERIFY, AT_ONCE, None)) | {
    "failed": (StoreState.TO_ERASE, timedelta(seconds=8), "why"),
}
STILL = (StoreState.TO_ERASE, timedelta(seconds=8), STILL_THERE)
LOOK = {
    "absent": (StoreState.ABSENT, AT_ONCE, None),
    "kept": (StoreState.KEPT, AT_ONCE, None),
    "failed": (StoreState.TO_VERIFY, timedelta(seconds=8), "why"),
    "present": STILL,
    "erased": STILL,
    "nothing_found": STILL,
}
EXPECTED = {(StoreState.ERASING, "erase"): ERASURE, (StoreState.VERIFYING, "verify"): LOOK}


@pytest.mark.parametrize(("state", "action", "outcome"), list(itertools.product(StoreState, ACTIONS, OUTCOMES)))
def test_every_answer_to_every_question(state: StoreState, action: str, outcome: str) -> None:
    found = after(state, 3, action, outcome, "why")
    wanted = EXPECTED.get((state, action))
    assert found == (None if wanted is None else wanted[outcome])


def test_nothing_but_a_look_that_was_asked_for_ends_it() -> None:
    ends = {StoreState.ABSENT, StoreState.KEPT}
    for state, action, outcome in itertools.product(StoreState, ACTIONS, OUTCOMES):
        found = after(state, 1, action, outcome, None)
        if found is not None and found.state in ends:
            assert (state, action) == (StoreState.VERIFYING, "verify")
            assert outcome == found.state


@pytest.mark.parametrize(
    ("outcome", "counted", "kept", "means"),
    [
        ("absent", 0, 0, "absent"),
        ("absent", 1, 0, "present"),
        ("absent", 0, 1, "kept"),
        ("absent", 1, 1, "kept"),
        ("kept", 0, 0, "present"),
        ("kept", 3, 0, "present"),
        ("kept", 0, 1, "kept"),
        ("kept", 3, 2, "kept"),
        ("present", 0, 0, "present"),
        ("present", 0, 1, "present"),
        ("failed", 3, 1, "failed"),
        ("erased", 0, 0, "erased"),
        ("nothing_found", 0, 0, "nothing_found"),
    ],
)
def test_a_look_that_contradicts_itself_found_something(outcome: str, counted: int, kept: int, means: str) -> None:
    assert meant(outcome, counted, kept) == means


def test_the_pause_doubles_up_to_six_hours() -> None:
    assert [pause(attempts).total_seconds() for attempts in (0, 1, 2, 10)] == [1, 2, 4, 1024]
    assert {pause(attempts) for attempts in (15, 20, 10_000)} == {timedelta(hours=6)}
