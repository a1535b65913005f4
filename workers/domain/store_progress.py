"""What a store's answer means for the request that waits for it. Only its own later look counts as proof.

to_erase ─► erasing ─► to_verify ─► verifying ─► absent | kept
    ▲                                   │
    └──────────── present ──────────────┘       (it said "erased", and it was not so)
"""

from datetime import timedelta
from enum import StrEnum
from typing import Final, NamedTuple


class StoreState(StrEnum):
    """Where one store stands with one request."""

    TO_ERASE = "to_erase"
    ERASING = "erasing"
    TO_VERIFY = "to_verify"
    VERIFYING = "verifying"
    ABSENT = "absent"
    KEPT = "kept"
    UNCONFIRMED = "unconfirmed"


class Next(NamedTuple):
    """The state after an answer, when it is due to be asked again, and why."""

    state: StoreState
    delay: timedelta
    reason: str | None = None


_AT_ONCE: Final = timedelta(0)
_LONGEST: Final = timedelta(hours=6)
STILL_THERE: Final = "the store said that it erased, and its later look found something"


def after(state: StoreState, attempts: int, action: str, outcome: str, reason: str | None) -> Next | None:
    """What follows; None: an answer to a question that was not asked, or was asked again since."""
    if (state, action) not in ((StoreState.ERASING, "erase"), (StoreState.VERIFYING, "verify")):
        return None
    if outcome == "failed":
        again = StoreState.TO_ERASE if action == "erase" else StoreState.TO_VERIFY
        return Next(again, pause(attempts), reason)
    if action == "erase":
        return Next(StoreState.TO_VERIFY, _AT_ONCE)
    if outcome == "absent":
        return Next(StoreState.ABSENT, _AT_ONCE)
    if outcome == "kept":
        return Next(StoreState.KEPT, _AT_ONCE)
    return Next(StoreState.TO_ERASE, pause(attempts), STILL_THERE)


def meant(outcome: str, counted: int, kept: int) -> str:
    """The outcome of a look that named so many things that are there, and so many that are kept on a ground.

    Without a ground nothing is kept, it is there; and what is there is not absent, whatever the answer calls it.
    """
    if outcome not in ("absent", "kept"):
        return outcome
    if kept:
        return "kept"
    return "present" if counted or outcome == "kept" else "absent"


def pause(attempts: int) -> timedelta:
    """How long to wait before the next attempt: a second, doubled each time, six hours at most."""
    return min(timedelta(seconds=2 ** min(attempts, 20)), _LONGEST)
