"""Tasks to the stores downstream, on `store-tasks`, and their receipts, on `store-receipts`; keyed by the store's name.

Neither holds personal data in the clear: a task names each person by a reference made for it alone, and what the
store needs to find its rows is a JWE (RFC 7516) that only the store can open. `deploy/stores/README.md` is the
protocol with examples.
"""

from datetime import date, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import (
    AwareDatetime,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from schemas import base

STORE_PATTERN: Final = base.CARRIER_PATTERN
WHAT_PATTERN: Final = r"^[a-z][a-z0-9_.-]{0,63}$"
JWE_PATTERN: Final = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+$"
MAX_SUBJECTS: Final = 1000
MAX_JWE_CHARS: Final = 16384

StoreName = Annotated[str, StringConstraints(pattern=STORE_PATTERN, max_length=32)]
What = Annotated[str, StringConstraints(pattern=WHAT_PATTERN, max_length=64)]
Action = Literal["erase", "verify", "find"]
Outcome = Literal["erased", "nothing_found", "absent", "present", "kept", "failed"]


def _plain(description: str) -> object:
    return base.plain(description, base.LEGAL_COMPLIANCE, base.LEGAL_OBLIGATION)


def _silent_about_names(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    """A name in `counts` that has the wrong form may be a person's: the error does not repeat it."""
    try:
        return handler(value)
    except ValidationError:
        raise PydanticCustomError("counts", "must be whole numbers of at least 0 by name") from None


Counts = Annotated[
    Annotated[dict[What, Annotated[int, Field(ge=0)]], Field(max_length=100)], WrapValidator(_silent_about_names)
]
_SUBJECT_REF = "Stands for one person in this task and its receipt, and means nothing elsewhere."


class TaskSubject(base.Contract):
    """One person of a task."""

    subject_ref: Annotated[UUID, _plain(_SUBJECT_REF)]
    identifiers: Annotated[
        Annotated[str, StringConstraints(pattern=JWE_PATTERN, max_length=MAX_JWE_CHARS)],
        base.personal(
            "JWE, compact (ECDH-ES, A256GCM), to the store's X25519 key. Inside: an object of lists of texts, such as "
            "email, customer_ref, order_id.",
            "pd:UID", base.LEGAL_COMPLIANCE, base.LEGAL_OBLIGATION,
        ),
    ]  # fmt: skip


class StoreTask(base.Contract):
    """A store is to erase these people, to look whether anything of them is left, or to say what it holds.

    The same `task_id` may arrive twice; doing it again changes nothing and is answered again.
    """

    task_id: Annotated[UUID, _plain("The task; its receipt names it.")]
    store: Annotated[StoreName, _plain("The store that it is for; the record's key.")]
    action: Annotated[
        Action,
        _plain("erase: delete or anonymise. verify: look again, change nothing. find: count what there is."),
    ]
    subjects: Annotated[
        tuple[TaskSubject, ...],
        Field(min_length=1, max_length=MAX_SUBJECTS, strict=False),
        _plain("The people, each once."),
    ]
    issued_at: Annotated[datetime, AwareDatetime, _plain("When it was given out, RFC 3339 with zone.")]
    respond_by: Annotated[datetime, AwareDatetime, _plain("A receipt is expected until then, RFC 3339 with zone.")]


class StoreKept(base.Contract):
    """Something that the store may not delete yet."""

    what: Annotated[What, _plain("The table, collection or column.")]
    ground: Annotated[Annotated[str, base.text(200, min_length=1)], _plain("The legal ground on which it is kept.")]
    until: Annotated[date | None, _plain("The last day on which it is kept, where that is known.")] = None


class StoreResult(base.Contract):
    """What became of one person. No text of it may say anything about the person."""

    subject_ref: Annotated[UUID, _plain(_SUBJECT_REF)]
    outcome: Annotated[
        Outcome,
        _plain(
            "To erase: erased, nothing_found, kept, failed. To verify or find: absent, present, kept, failed. "
            "kept: all that is left is kept on the grounds in `kept`. failed: not known, or not done."
        ),
    ]
    counts: Annotated[
        Counts, _plain("How much was deleted or anonymised, or is there: by table or collection.")
    ] = Field(default_factory=dict)  # fmt: skip
    kept: Annotated[
        tuple[StoreKept, ...], Field(max_length=50, strict=False), _plain("What stays, and why.")
    ] = ()  # fmt: skip
    backups_expire_at: Annotated[
        date | None, _plain("The last day on which a backup of the store may still hold what it deleted.")
    ] = None
    reason: Annotated[
        Annotated[str, base.text(500, min_length=1)] | None, _plain("Why it failed, in words, without any value.")
    ] = None


class StoreReceipt(base.Contract):
    """A store's answer to a task: a result for each of its people."""

    task_id: Annotated[UUID, _plain("The task that is answered.")]
    store: Annotated[StoreName, _plain("The store that answers; the record's key.")]
    action: Annotated[Action, _plain("What the task asked for.")]
    results: Annotated[
        tuple[StoreResult, ...],
        Field(min_length=1, max_length=MAX_SUBJECTS, strict=False),
        _plain("One per person of the task."),
    ]
    answered_at: Annotated[datetime, AwareDatetime, _plain("When the store answered, RFC 3339 with zone.")]
