"""Stores downstream: what they hold, and what they say, which is not always so."""

import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from schemas.store import StoreReceipt
from tests.model.agents import RECEIPTS
from tests.model.log import Happened

if TYPE_CHECKING:
    from tests.model.world import World


class Manner(StrEnum):
    """How a store takes a task."""

    TRUTHFUL = "truthful"
    FAILS = "fails"
    LIES = "lies"
    KEEPS = "keeps"
    SILENT = "silent"


class Holding(NamedTuple):
    """A row of a store: by what it can be found."""

    email: str
    customer_ref: str
    order_id: str


class Answer(NamedTuple):
    """What a store said, and whether it was so."""

    subject_ref: UUID
    action: str
    outcome: str
    is_true: bool
    named: bool
    """Whether the task said anything to find the person by."""


class DownstreamStore:
    """One system behind the protocol; it takes tasks in their order."""

    def __init__(self, name: str, finds_by: Iterable[str]) -> None:
        self.name = name
        self.finds_by = frozenset(finds_by)
        self.rows: set[Holding] = set()
        self.answers: list[Answer] = []
        self._last: StoreReceipt | None = None
        self._next = 0

    def waits(self, world: "World") -> bool:
        """Whether a task is there that it has not taken."""
        return self._next < len(world.log.sent[self._topic])

    def take(self, world: "World", manner: Manner) -> None:
        """Take the next task in this manner."""
        if not self.waits(world):
            return
        task = json.loads(world.log.sent[self._topic][self._next].value or b"")
        self._next += 1
        if manner is Manner.SILENT:
            return
        outcome, is_true = self._erase(task, manner) if task["action"] == "erase" else self._look(task, manner)
        ref = UUID(task["subject_ref"])
        self.answers.append(Answer(ref, task["action"], outcome, is_true, bool(task["identifiers"])))
        result: dict[str, Any] = {"subject_ref": ref, "outcome": outcome}
        if outcome == "failed":
            result["reason"] = "it is down"
        if outcome == "kept":
            result["kept"] = ({"what": "invoices", "ground": "the law"},)
        self._last = StoreReceipt.model_validate(
            {
                "task_id": UUID(task["task_id"]), "store": self.name, "action": task["action"], "results": (result,),
                "answered_at": world.now,
            }
        )  # fmt: skip
        self.say_again(world)

    def say_again(self, world: "World", otherwise: bool = False) -> None:
        """The last answer, as an event of its own: a producer that was not answered; or one that thinks better of it.

        What is said to a task first counts, so the second is not among `answers`.
        """
        if self._last is None:
            return
        said = self._last
        if otherwise:
            outcome = "absent" if said.action == "verify" else "erased"
            result = {"subject_ref": said.results[0].subject_ref, "outcome": outcome}
            said = StoreReceipt.model_validate({**said.model_dump(), "results": (result,)})
        happened = Happened(f"/{self.name}", str(world.uuid()), world.now, self.name, said)
        world.log.publish(RECEIPTS, happened)

    def found(self, identifiers: Mapping[str, list[str]]) -> set[Holding]:
        """What it holds of whoever is known by one of these."""
        return {
            row for row in self.rows
            if any(getattr(row, name) in identifiers.get(name, ()) for name in self.finds_by)
        }  # fmt: skip

    @property
    def _topic(self) -> str:
        return f"store-tasks.{self.name}"

    def _erase(self, task: Mapping[str, Any], manner: Manner) -> tuple[str, bool]:
        if manner is Manner.FAILS:
            return "failed", True
        if manner is Manner.LIES:
            return "erased", False
        if manner is Manner.KEEPS:
            return "kept", True
        found = self.found(task["identifiers"])
        self.rows -= found
        return ("erased" if found else "nothing_found"), True

    def _look(self, task: Mapping[str, Any], manner: Manner) -> tuple[str, bool]:
        if manner is Manner.FAILS:
            return "failed", True
        found = self.found(task["identifiers"])
        if manner is Manner.LIES:
            return "absent", not found
        if found and manner is Manner.KEEPS:
            return "kept", True
        return ("present" if found else "absent"), True
