"""What a store may do when it is asked about a person, and how the person's request must end."""

from typing import NamedTuple
from uuid import uuid4

from tests.support.lying_store import Body, Script, Turn, honest

DONE, PARTLY = "completed", "partly_completed"
GROUND = "accounts, 10 years"


def fails(*actions: str, times: int = 10**9) -> Script:
    """Does nothing and says so, so many times."""
    return lambda turn: (
        [turn.receipt("failed", reason="locked")] if turn.action in actions and turn.nth <= times else honest(turn)
    )


def silent(*actions: str, times: int = 10**9) -> Script:
    return lambda turn: [] if turn.action in actions and turn.nth <= times else honest(turn)


def says(outcome: str, to: str, **fields: object) -> Script:
    """Does nothing, and says this; is honest about the other action."""
    return lambda turn: [turn.receipt(outcome, **fields)] if turn.action == to else honest(turn)


def changed(**fields: object) -> Script:
    """Does as asked, and answers with a receipt that has these fields."""
    return lambda turn: [{**turn.receipt(turn.truth()), **fields}]


def broken(value: bytes) -> Script:
    """Does as asked, and answers with something that is no receipt."""
    return lambda turn: [value if turn.truth() else b""]


def only_at_the_second(turn: Turn) -> list[Body]:
    """Its first erasure is none, and it says that it was."""
    return [turn.receipt("erased")] if (turn.action, turn.nth) == ("erase", 1) else honest(turn)


def answers_about_somebody_else(turn: Turn) -> list[Body]:
    return [{**turn.receipt(turn.truth()), "results": [{"subject_ref": str(uuid4()), "outcome": "absent"}]}]


def twice(first: str, second: str, to: str) -> Script:
    """Two receipts to one task that contradict each other."""
    return lambda turn: (
        [turn.receipt(first), turn.receipt(second)] if turn.action == to and (turn.truth() or True) else honest(turn)
    )


def both_in_one(turn: Turn) -> list[Body]:
    """One receipt that says two things of one person."""
    if turn.action == "erase":
        return [turn.receipt("erased")]
    said = turn.receipt("absent")
    return [{**said, "results": [*said["results"], *turn.receipt("present")["results"]]}]


def looks_before_it_is_asked(turn: Turn) -> list[Body]:
    """To the task that asks it to erase it answers that it looked, and found nothing; it did nothing."""
    return [{**turn.receipt("absent"), "action": "verify"}] if turn.action == "erase" else honest(turn)


def replays_its_first_look(turn: Turn) -> list[Body]:
    """Never erases; says so once, and from then on repeats that it found nothing under the first look's number."""
    if turn.action == "erase":
        return [turn.receipt("erased")]
    if turn.nth == 1:
        return [turn.receipt("present")]
    first = next(one for one in turn.earlier if one.action == "verify")
    return [turn.receipt("absent", task_id=first.task_id)]


def names_the_person(turn: Turn) -> list[Body]:
    """Its reason says who it was about."""
    return [turn.receipt("failed", reason=f"cannot find {turn.email} 0612345678")]


def names_the_person_as_ground(turn: Turn) -> list[Body]:
    turn.erase()
    kept = [{"what": "invoices", "ground": f"invoice of {turn.email}"}]
    return [turn.receipt("kept", kept=kept)]


KEPT = {"kept": [{"what": "invoices", "ground": GROUND, "until": "2036-12-31"}]}
NUL = b'{"task_id": "\\u0000"}'


def counts(points: int) -> Script:
    """Does as asked, and says that it was so much."""
    return lambda turn: (
        [turn.receipt(turn.truth(), counts={"points": points})] if turn.action == "erase" else honest(turn)
    )


def keeps_at_first(turn: Turn) -> list[Body]:
    """Kept something when it erased; by its look that is gone as well."""
    return [turn.receipt("kept" if turn.erase() else "absent", **KEPT)] if turn.action == "erase" else honest(turn)


class Behaviour(NamedTuple):
    does: Script
    end: str


BEHAVIOURS = {
    "honest": Behaviour(honest, DONE),
    "fails-to-erase-once": Behaviour(fails("erase", times=1), DONE),
    "fails-to-look-once": Behaviour(fails("verify", times=1), DONE),
    "fails-to-erase": Behaviour(fails("erase"), PARTLY),
    "fails-to-look": Behaviour(fails("verify"), PARTLY),
    "silent-to-erase-once": Behaviour(silent("erase", times=1), DONE),
    "silent-to-look-once": Behaviour(silent("verify", times=1), DONE),
    "silent-to-erase": Behaviour(silent("erase"), PARTLY),
    "silent-to-look": Behaviour(silent("verify"), PARTLY),
    "another-task": Behaviour(changed(task_id=str(uuid4())), PARTLY),
    "another-store": Behaviour(changed(store="calm"), PARTLY),
    "another-person": Behaviour(answers_about_somebody_else, PARTLY),
    "another-action": Behaviour(changed(action="find"), PARTLY),
    "erased-then-failed": Behaviour(twice("erased", "failed", to="erase"), DONE),
    "failed-then-erased": Behaviour(twice("failed", "erased", to="erase"), PARTLY),
    "absent-then-present": Behaviour(twice("absent", "present", to="verify"), DONE),
    "present-then-absent": Behaviour(twice("present", "absent", to="verify"), PARTLY),
    "both-in-one": Behaviour(both_in_one, PARTLY),
    "erased-and-was-not": Behaviour(says("erased", to="erase"), PARTLY),
    "nothing-found-and-was-there": Behaviour(says("nothing_found", to="erase"), PARTLY),
    "erased-at-the-second": Behaviour(only_at_the_second, DONE),
    "absent-to-erase": Behaviour(says("absent", to="erase"), PARTLY),
    "looks-before-it-is-asked": Behaviour(looks_before_it_is_asked, PARTLY),
    "erased-to-a-look": Behaviour(says("erased", to="verify"), PARTLY),
    "kept-without-ground": Behaviour(says("kept", to="verify"), PARTLY),
    "kept-on-a-ground": Behaviour(says("kept", to="verify", counts={"invoices": 2}, **KEPT), DONE),
    "kept-at-first": Behaviour(keeps_at_first, DONE),
    "absent-and-counted": Behaviour(says("absent", to="verify", counts={"points": 3}), PARTLY),
    "replays-its-first-look": Behaviour(replays_its_first_look, PARTLY),
    "no-json": Behaviour(broken(b"erased, honestly"), PARTLY),
    "nul": Behaviour(broken(NUL), PARTLY),
    "empty": Behaviour(broken(b"{}"), PARTLY),
    "no-results": Behaviour(changed(results=[]), PARTLY),
    "unknown-field": Behaviour(changed(mood="good"), DONE),
    "unknown-outcome": Behaviour(says("vanished", to="erase"), PARTLY),
    "huge-count": Behaviour(counts(10**30), PARTLY),
    "count-that-no-certificate-can-hold": Behaviour(counts(2**53), PARTLY),
    "largest-count": Behaviour(counts(2**53 - 1), DONE),
    "names-the-person": Behaviour(names_the_person, PARTLY),
    "names-the-person-as-ground": Behaviour(names_the_person_as_ground, DONE),
}
TRUTHFUL_LOOKS = [name for name in BEHAVIOURS if "kept" not in name and "ground" not in name]
