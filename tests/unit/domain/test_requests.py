"""Where a request may go from where it stands: every state with every move, before and after the work has begun."""

from itertools import product

import pytest

from workers.domain.requests import OPEN, REFUSALS, Move, Reason, RequestState, move
from workers.errors import RefusalCode, Refused

_R = RequestState
BEFORE = {
    _R.RECEIVED: {
        Move.ASK_IDENTITY: _R.IDENTITY_NEEDED, Move.VERIFY: _R.IN_PROGRESS, Move.REFUSE: _R.REFUSED,
        Move.CANCEL: _R.CANCELLED,
    },
    _R.IDENTITY_NEEDED: {
        Move.ASK_IDENTITY: _R.IDENTITY_NEEDED, Move.VERIFY: _R.IN_PROGRESS, Move.REFUSE: _R.REFUSED,
        Move.CANCEL: _R.CANCELLED,
    },
    _R.IN_PROGRESS: {
        Move.HOLD: _R.ON_HOLD, Move.AWAIT_STORES: _R.WAITING_FOR_STORE, Move.COMPLETE: _R.COMPLETED,
        Move.COMPLETE_PARTLY: _R.PARTLY_COMPLETED, Move.REFUSE: _R.REFUSED, Move.CANCEL: _R.CANCELLED,
    },
    _R.ON_HOLD: {
        Move.HOLD: _R.ON_HOLD, Move.RELEASE: _R.IN_PROGRESS, Move.REFUSE: _R.REFUSED, Move.CANCEL: _R.CANCELLED,
    },
    _R.WAITING_FOR_STORE: {Move.COMPLETE: _R.COMPLETED, Move.COMPLETE_PARTLY: _R.PARTLY_COMPLETED},
    _R.PARTLY_COMPLETED: {Move.COMPLETE: _R.COMPLETED},
    _R.COMPLETED: {},
    _R.REFUSED: {},
    _R.CANCELLED: {},
}  # fmt: skip
"""All that may happen while nothing was erased; what is not here is refused."""
NOT_ONCE_BEGUN = (Move.REFUSE, Move.CANCEL, Move.HOLD)


def outcome(state: RequestState, what: Move, begun: bool) -> RequestState | None:
    """Where it stands afterwards; None: refused."""
    try:
        return move(state, what, begun)
    except Refused:
        return None


def test_the_table_names_every_state() -> None:
    assert BEFORE.keys() == set(RequestState)


@pytest.mark.parametrize(("state", "what"), [*product(RequestState, Move)])
def test_before_the_work_each_move_leads_where_the_table_says(state: RequestState, what: Move) -> None:
    assert outcome(state, what, begun=False) is BEFORE[state].get(what)


@pytest.mark.parametrize(("state", "what"), [*product(RequestState, Move)])
def test_once_the_work_has_begun_there_is_no_way_back(state: RequestState, what: Move) -> None:
    expected = None if what in NOT_ONCE_BEGUN else BEFORE[state].get(what)
    assert outcome(state, what, begun=True) is expected


def test_a_refusal_says_what_cannot_be_and_is_no_fault_of_ours() -> None:
    with pytest.raises(Refused, match="the work has begun: too late to cancel this request"):
        move(_R.IN_PROGRESS, Move.CANCEL, begun=True)
    with pytest.raises(Refused, match="a request that is completed cannot await stores") as refused:
        move(_R.COMPLETED, Move.AWAIT_STORES)
    assert refused.value.code is RefusalCode.REQUEST_STATE


def test_open_requests_are_those_that_are_not_answered_yet() -> None:
    assert set(RequestState) - OPEN == {_R.COMPLETED, _R.PARTLY_COMPLETED, _R.REFUSED, _R.CANCELLED}
    assert all(BEFORE[state] for state in OPEN), "an open request without a way on"


def test_a_refusal_never_gives_a_reason_to_wait() -> None:
    assert set(Reason) - REFUSALS == {
        Reason.ORDER_IN_FLIGHT, Reason.LEGAL_HOLD, Reason.STORE_SILENT, Reason.DUPLICATE
    }  # fmt: skip
