"""What becomes of a transaction, and the subjects that it holds."""

from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tests.model.database import Database, SubjectRow
from workers.vault.subjects import Subject

if TYPE_CHECKING:
    from tests.model.world import World

T = TypeVar("T")


class Fate(StrEnum):
    """What becomes of a transaction or a publication. An unanswered one may have been done."""

    ANSWERED = "answered"
    UNANSWERED_DONE = "unanswered, done"
    UNANSWERED_UNDONE = "unanswered, not done"
    DIES_BEFORE = "dies before"
    DIES_AFTER = "dies after"

    @property
    def done(self) -> bool:
        """Whether it took effect, whatever the process knows of it."""
        return self in (Fate.ANSWERED, Fate.UNANSWERED_DONE, Fate.DIES_AFTER)

    @property
    def dies(self) -> bool:
        """Whether the process ends, and all that it had in memory."""
        return self in (Fate.DIES_BEFORE, Fate.DIES_AFTER)


def transaction(world: "World", work: Callable[[Database], T], fate: Fate = Fate.ANSWERED) -> T:
    """Run `work` on a draft; it is what is committed from then on if `fate` lets it. Errors roll back."""
    draft = world.db.draft()
    result = work(draft)
    if fate.done:
        world.db = draft
    return result


def hold(world: "World", draft: Database, references: Collection[str]) -> Mapping[bytes, Subject]:
    """The subjects of these references, made where they are new (vault.subjects.SubjectVault.hold)."""
    found = {row.reference: row for row in draft.subjects.values()}
    for reference in sorted(set(references) - found.keys()):
        number = next(world.numbers)
        row = SubjectRow(number, reference, world.epoch, None, draft.erased_references.get(reference))
        found[reference] = draft.subjects[number] = row
        world.wrapped.add((number, world.epoch))
    return {reference.encode(): opened(found[reference]) for reference in references}


def opened(row: SubjectRow) -> Subject:
    """The subject as the engine knows it; its key is not needed here."""
    not_before = row.fenced_at or row.not_before
    return Subject(row.subject_id, cast(Any, None), row.fenced_at is not None, not_before)
