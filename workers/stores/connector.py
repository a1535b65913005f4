"""What every kind of store can do, and the words in which its connector answers.

A connector takes many people at once and answers for each. It never changes anything in `find` and `verify`; `erase`
may be repeated at any moment, also after it was cut off half way.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple, Protocol
from uuid import UUID

from schemas.store import Outcome, StoreKept, StoreResult


class Person(NamedTuple):
    """One person of a task, with what the store needs to find them."""

    subject_ref: UUID
    identifiers: Mapping[str, tuple[str, ...]]

    def values(self, name: str) -> tuple[str, ...]:
        """The person's identifiers of one name."""
        return self.identifiers.get(name, ())


class Unavailable(Exception):
    """The store did not do it and may do it later: away, busy, locked. The text names no value."""


class Unacceptable(Exception):
    """The store refuses these people, and will again: a smaller task finds the one that is to blame."""


class Misconfigured(Exception):
    """The store's file or its secrets are wrong: a person must correct them. The text says what to do."""


class NeedsPerson(Exception):
    """Only a person can do it: they are asked by mail, in this language."""

    def __init__(self, to: str, language: str) -> None:
        super().__init__("a person is to be asked")
        self.to = to
        self.language = language


class Left(NamedTuple):
    """What a store holds of one person: rows or objects by name, and what stays on which ground."""

    counts: Mapping[str, int]
    kept: tuple[StoreKept, ...] = ()
    refused: str | None = None
    """Why the store refuses this person, and only this one; then nothing is known."""


NOTHING_LEFT = Left({})


class Connector(Protocol):
    """One store."""

    async def check(self) -> list[str]:
        """Reach the store and compare it with its file; lines for a person. Raises Unavailable, Misconfigured."""

    async def find(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        """What there is of each, looked up now; who is not in the answer has nothing.

        Raises Unavailable, Unacceptable, Misconfigured, as the others do.
        """

    async def erase(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        """Erase them. Per person: how much was deleted or anonymised, and what is kept."""

    async def close(self) -> None:
        """Let go of connections."""


def erased(person: Person, done: Left, backups_expire_at: date | None, repeated: bool) -> StoreResult:
    """The result of an erasure. `repeated`: an attempt before may have erased what is not found any more."""
    if done.refused is not None:
        return failed(person.subject_ref, done.refused)
    counts = {what: count for what, count in done.counts.items() if count}
    was_there = bool(counts) or repeated
    outcome: Outcome = "kept" if done.kept else "erased" if was_there else "nothing_found"
    return StoreResult(
        subject_ref=person.subject_ref, outcome=outcome, counts=counts, kept=done.kept,
        backups_expire_at=backups_expire_at if was_there else None,
    )  # fmt: skip


def looked(person: Person, left: Left) -> StoreResult:
    """The result of a look: anything but what is kept on a ground is still present."""
    if left.refused is not None:
        return failed(person.subject_ref, left.refused)
    counts = {what: count for what, count in left.counts.items() if count}
    outcome: Outcome = "present" if counts else "kept" if left.kept else "absent"
    return StoreResult(subject_ref=person.subject_ref, outcome=outcome, counts=counts, kept=left.kept)


def failed(subject_ref: UUID, reason: str) -> StoreResult:
    """Not known, or not done."""
    return StoreResult(subject_ref=subject_ref, outcome="failed", reason=reason[:500])


def merged(lefts: Sequence[Left]) -> Left:
    """Several answers about one person as one."""
    counts: dict[str, int] = {}
    kept: list[StoreKept] = []
    for left in lefts:
        for what, count in left.counts.items():
            counts[what] = counts.get(what, 0) + count
        kept += [one for one in left.kept if one not in kept]
    return Left(counts, tuple(kept))
