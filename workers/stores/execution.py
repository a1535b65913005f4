"""Carries out one task at one store: opens whom it is about, has the connector work, answers for each person."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from joserfc.jwk import OKPKey

from schemas.store import StoreResult, StoreTask, TaskSubject
from workers.stores import connector as answers
from workers.stores import jwe
from workers.stores.connector import NOTHING_LEFT, Connector, Left, Person, Unacceptable
from workers.stores.directory import Store

_Work = Callable[[Sequence[Person]], Awaitable[Mapping[UUID, Left]]]


async def carry_out(
    store: Store, connector: Connector, task: StoreTask, now: datetime, repeated: bool
) -> list[StoreResult]:  # fmt: skip
    """A result for each person of the task, in its order. `repeated`: an attempt before may have done a part of it.

    Raises connector.Unavailable or Misconfigured when the store could not be asked: nothing is known then.
    """
    people, unopened = opened(store, task)
    results = {one.subject_ref: one for one in unopened}
    work = connector.erase if task.action == "erase" else connector.find
    answered, refused = await _in_parts(work, people)
    until = backups_until(store, now)
    for person in people:
        if reason := refused.get(person.subject_ref):
            results[person.subject_ref] = answers.failed(person.subject_ref, reason)
            continue
        left = answered.get(person.subject_ref, NOTHING_LEFT)
        is_erasure = task.action == "erase"
        results[person.subject_ref] = (
            answers.erased(person, left, until, repeated) if is_erasure else answers.looked(person, left)
        )
    return [results[subject.subject_ref] for subject in task.subjects]


def opened(store: Store, task: StoreTask) -> tuple[list[Person], list[StoreResult]]:
    """Whom the task is about, and a result for each who cannot be opened or looked for. Raises Misconfigured."""
    opener = jwe.Opener(_key(store))
    found = [_open(store, opener, subject) for subject in task.subjects]
    people = [one for one in found if isinstance(one, Person)]
    return people, [one for one in found if isinstance(one, StoreResult)]


async def _in_parts(work: _Work, people: Sequence[Person]) -> tuple[dict[UUID, Left], dict[UUID, str]]:
    """Have the work done; a refusal is halved until who is to blame is alone, and everybody else is served."""
    answered: dict[UUID, Left] = {}
    refused: dict[UUID, str] = {}
    pending = [people] if people else []
    while pending:
        part = pending.pop()
        try:
            answered.update(await work(part))
        except Unacceptable as refusal:
            if len(part) == 1:
                refused[part[0].subject_ref] = str(refusal)
            else:
                middle = len(part) // 2
                pending += [part[middle:], part[:middle]]
    return answered, refused


def _open(store: Store, opener: jwe.Opener, subject: TaskSubject) -> Person | StoreResult:
    try:
        identifiers = opener.unseal(subject.identifiers)
    except jwe.Unopened as error:
        return answers.failed(subject.subject_ref, str(error))
    # A blank would find whoever has a blank there: rows of people without an e-mail address, say.
    identifiers = {name: tuple(one for one in values if one.strip()) for name, values in identifiers.items()}
    if not any(identifiers.get(name) for name in store.identifiers):
        needed = " or ".join(store.identifiers)
        return answers.failed(subject.subject_ref, f"the task gives no {needed}: this person cannot be looked for")
    return Person(subject.subject_ref, identifiers)


def _key(store: Store) -> OKPKey:
    if store.key is None:
        raise answers.Misconfigured("the store has no private key: make it with `lethe stores keys`")
    return store.key


def backups_until(store: Store, now: datetime) -> date | None:
    """The last day on which a backup made now may be there; None where nobody knows."""
    return None if store.backups_kept_days is None else (now + timedelta(days=store.backups_kept_days)).date()
