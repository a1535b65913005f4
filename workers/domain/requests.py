"""A person's request about their data: where it may stand, and what moves it.

States and reasons have the names of OpenDSR 2.0 and the Data Rights Protocol 1.0. Access and rectification go the same
way as erasure: what differs is the work that is done while a request is in progress.

    received ─┬─► identity_needed ─┬─► in_progress ─┬─► waiting_for_store ─► completed
              └────────────────────┘       │  ▲     │                      └► partly_completed ─► (the store answers)
                                           ▼  │     └─► completed, partly_completed
                                          on_hold

Refused and cancelled are ends as well. A person can take a request back until the work has begun.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from workers.errors import RefusalCode, Refused


class RequestState(StrEnum):
    """Where a request stands."""

    RECEIVED = "received"
    IDENTITY_NEEDED = "identity_needed"
    IN_PROGRESS = "in_progress"
    WAITING_FOR_STORE = "waiting_for_store"
    ON_HOLD = "on_hold"
    COMPLETED = "completed"
    PARTLY_COMPLETED = "partly_completed"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class Move(StrEnum):
    """What happens to a request."""

    ASK_IDENTITY = "ask_identity"
    """There is reasonable doubt (GDPR 12(6))."""
    VERIFY = "verify"
    """The person proved who they are, or nobody doubted it."""
    HOLD = "hold"
    """A ground suspends it: an order on its way, a legal duty, a claim (GDPR 17(3)(b), (e))."""
    RELEASE = "release"
    AWAIT_STORES = "await_stores"
    """All of our own work is done; a store has not confirmed yet."""
    COMPLETE = "complete"
    COMPLETE_PARTLY = "complete_partly"
    """A store did not confirm in time: said so. Staff can have it asked again."""
    REFUSE = "refuse"
    CANCEL = "cancel"


class Reason(StrEnum):
    """Why a request was refused, waits, or is complete in part only."""

    SUSPECTED_FRAUD = "suspected_fraud"
    INSUF_VERIFICATION = "insuf_verification"
    NO_MATCH = "no_match"
    CLAIM_NOT_COVERED = "claim_not_covered"
    OUTSIDE_JURISDICTION = "outside_jurisdiction"
    TOO_MANY_REQUESTS = "too_many_requests"
    OTHER = "other"
    ORDER_IN_FLIGHT = "order_in_flight"
    LEGAL_HOLD = "legal_hold"
    STORE_SILENT = "store_silent"
    DUPLICATE = "duplicate"


REFUSALS: Final = frozenset(
    (
        Reason.SUSPECTED_FRAUD, Reason.INSUF_VERIFICATION, Reason.NO_MATCH, Reason.CLAIM_NOT_COVERED,
        Reason.OUTSIDE_JURISDICTION, Reason.TOO_MANY_REQUESTS, Reason.OTHER,
    )
)  # fmt: skip
"""What a refusal may say (Data Rights Protocol 1.0, status `denied`)."""

OPEN: Final = frozenset(
    (
        RequestState.RECEIVED, RequestState.IDENTITY_NEEDED, RequestState.IN_PROGRESS, RequestState.WAITING_FOR_STORE,
        RequestState.ON_HOLD,
    )
)  # fmt: skip
"""The deadline runs."""

_S, _M = RequestState, Move
_MOVES: Final[Mapping[tuple[RequestState, Move], RequestState]] = MappingProxyType(
    {
        (_S.RECEIVED, _M.ASK_IDENTITY): _S.IDENTITY_NEEDED,
        (_S.RECEIVED, _M.VERIFY): _S.IN_PROGRESS,
        (_S.RECEIVED, _M.REFUSE): _S.REFUSED,
        (_S.RECEIVED, _M.CANCEL): _S.CANCELLED,
        (_S.IDENTITY_NEEDED, _M.ASK_IDENTITY): _S.IDENTITY_NEEDED,
        (_S.IDENTITY_NEEDED, _M.VERIFY): _S.IN_PROGRESS,
        (_S.IDENTITY_NEEDED, _M.REFUSE): _S.REFUSED,
        (_S.IDENTITY_NEEDED, _M.CANCEL): _S.CANCELLED,
        (_S.IN_PROGRESS, _M.HOLD): _S.ON_HOLD,
        (_S.IN_PROGRESS, _M.AWAIT_STORES): _S.WAITING_FOR_STORE,
        (_S.IN_PROGRESS, _M.COMPLETE): _S.COMPLETED,
        (_S.IN_PROGRESS, _M.COMPLETE_PARTLY): _S.PARTLY_COMPLETED,
        (_S.ON_HOLD, _M.HOLD): _S.ON_HOLD,
        (_S.ON_HOLD, _M.RELEASE): _S.IN_PROGRESS,
        (_S.ON_HOLD, _M.REFUSE): _S.REFUSED,
        (_S.ON_HOLD, _M.CANCEL): _S.CANCELLED,
        (_S.WAITING_FOR_STORE, _M.COMPLETE): _S.COMPLETED,
        (_S.WAITING_FOR_STORE, _M.COMPLETE_PARTLY): _S.PARTLY_COMPLETED,
        (_S.PARTLY_COMPLETED, _M.COMPLETE): _S.COMPLETED,
    }
)
_BEFORE_THE_WORK: Final = frozenset((_M.REFUSE, _M.CANCEL, _M.HOLD))


def move(state: RequestState, what: Move, begun: bool = False) -> RequestState:
    """Where the request stands afterwards. `begun`: something was erased already, there is no way back.

    Raises Refused (request_state) where that cannot happen to a request in this state.
    """
    if begun and what in _BEFORE_THE_WORK:
        raise Refused(RefusalCode.REQUEST_STATE, f"the work has begun: too late to {what} this request")
    if state is RequestState.IN_PROGRESS and what in (Move.REFUSE, Move.CANCEL):
        return RequestState.REFUSED if what is Move.REFUSE else RequestState.CANCELLED
    try:
        return _MOVES[state, what]
    except KeyError:
        words = str(what).replace("_", " ")
        raise Refused(RefusalCode.REQUEST_STATE, f"a request that is {state} cannot {words}") from None
