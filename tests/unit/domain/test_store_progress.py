"""What a store's answer means: every state with every action and outcome; only its own later look is proof."""

from datetime import timedelta
from itertools import product
from typing import get_args

import pytest

from schemas.store import Action, Outcome
from workers.domain.store_progress import STILL_THERE, Next, StoreState, after, pause

ACTIONS, OUTCOMES = get_args(Action), get_args(Outcome)
_S = StoreState
ASKED = {_S.ERASING: "erase", _S.VERIFYING: "verify"}


@pytest.mark.parametrize(("state", "action", "outcome"), [*product(StoreState, ACTIONS, OUTCOMES)])
def test_an_answer_to_what_was_not_asked_changes_nothing(state: StoreState, action: str, outcome: str) -> None:
    answer = after(state, 1, action, outcome, None)
    assert (answer is None) == (ASKED.get(state) != action)


@pytest.mark.parametrize("outcome", [one for one in OUTCOMES if one != "failed"])
def test_whatever_a_store_says_of_its_erasure_it_is_asked_to_look_again(outcome: str) -> None:
    assert after(_S.ERASING, 1, "erase", outcome, None) == Next(_S.TO_VERIFY, timedelta(0))


@pytest.mark.parametrize("outcome", [one for one in OUTCOMES if one not in ("failed", "absent", "kept")])
def test_a_look_that_finds_something_or_says_anything_else_means_to_erase_again(outcome: str) -> None:
    assert after(_S.VERIFYING, 3, "verify", outcome, None) == Next(_S.TO_ERASE, timedelta(seconds=8), STILL_THERE)


def test_a_look_that_finds_nothing_or_what_is_kept_by_law_is_the_end() -> None:
    assert after(_S.VERIFYING, 9, "verify", "absent", None) == Next(_S.ABSENT, timedelta(0))
    assert after(_S.VERIFYING, 9, "verify", "kept", None) == Next(_S.KEPT, timedelta(0))


@pytest.mark.parametrize(("state", "again"), [(_S.ERASING, _S.TO_ERASE), (_S.VERIFYING, _S.TO_VERIFY)])
def test_what_failed_is_asked_again_later_with_its_reason(state: StoreState, again: StoreState) -> None:
    assert after(state, 2, ASKED[state], "failed", "it is down") == Next(again, timedelta(seconds=4), "it is down")


def test_pauses_double_up_to_six_hours_however_often_a_store_was_asked() -> None:
    pauses = [pause(attempts) for attempts in range(100)]
    assert pauses[:4] == [timedelta(seconds=seconds) for seconds in (1, 2, 4, 8)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == max(pauses) == timedelta(hours=6)
