"""The engine's contract: position by compare and set, dedupe, fence, outbox, publication in order and once.

Handling a batch (dedupe, fence, refusals) is the engine's own pure function; here is what the adapters do around it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, cast

from tests.model.database import Database, Letter, OutboxRow
from tests.model.log import Arrived
from tests.model.transactions import Fate, hold, transaction
from workers.engine import batch
from workers.engine.admission import Event
from workers.engine.outbox import Message
from workers.errors import PartitionLost
from workers.vault.subjects import Subject

if TYPE_CHECKING:
    from tests.model.world import World

RELAY = "relay"


class Unit(Protocol):
    """One attempt at a batch on a draft."""

    def handle(self, event: Event, subject: Subject) -> list[Message]: ...

    def store(self, now: datetime) -> None: ...


UnitMaker = Callable[["World", Database], Unit]


class _Noting:
    """Notes what was handled without a refusal."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.applied: list[Event] = []

    def handle(self, event: Event, subject: Subject) -> list[Message]:
        messages = self.unit.handle(event, subject)
        self.applied.append(event)
        return messages


def decide(world: "World", draft: Database, records: Sequence[Arrived], make: UnitMaker) -> list[Message]:
    """Apply records on a draft; what is refused is parked. Returns what is to be published."""
    events = [_admitted(one) for one in records]
    seen = {one.event_key for one in events} & draft.seen
    references = [one.happened.reference for one in records if one.happened.key not in seen]
    subjects = hold(world, draft, references)
    noting = _Noting(make(world, draft))
    outcome = batch.handle_all(events, set(seen), subjects, cast(Any, noting))
    noting.unit.store(world.now)
    draft.seen |= {one.event_key for one in events} - {one.event_key for one in outcome.released}
    draft.applied += [one.event_key for one in noting.applied]
    for record in records:
        draft.verdicts.setdefault((record.topic, record.offset), "duplicate")
    for event in noting.applied:
        draft.verdicts[event.record.topic, event.record.offset] = "applied"
    for rejected in outcome.rejected:
        record, refusal = cast(Arrived, rejected.record), rejected.refusal
        draft.verdicts[record.topic, record.offset] = f"parked {refusal.code}"
        kept = record.happened if refusal.keep_body else None
        draft.letters[record.happened.key] = Letter(record.topic, record.happened.reference, refusal.code, kept)
    return [message for messages in outcome.messages.values() for message in messages]


class Lane:
    """One process's hold on a topic; all but the database and the log dies with it."""

    def __init__(self, world: "World", topic: str, make: UnitMaker) -> None:
        self._world = world
        self._topic = topic
        self._make = make
        self.open()

    def open(self) -> None:
        """Fence whoever had it, publish from the outbox what was applied and not published, then read on."""
        self._owner = self._world.log.own(self._topic)
        self._world.db.positions.setdefault(self._topic, 0)
        self._next = self._world.db.positions[self._topic]
        self._owed: list[OutboxRow] = []
        recover(self._world, self._topic, self._owner)

    def apply(self, count: int, fate: Fate) -> None:
        """Apply the next records in one transaction. Raises PartitionLost where somebody else has moved on."""
        records = self._world.log.inbound[self._topic][self._next : self._next + count]
        if not records:
            return
        row = transaction(self._world, lambda draft: self._apply(draft, records), fate)
        if fate.dies:
            return
        if not fate.done:  # the position tells that it took no effect: again, in place
            row = transaction(self._world, lambda draft: self._apply(draft, records))
        self._owed.append(row)
        self._next = row.next_position

    def _apply(self, draft: Database, records: Sequence[Arrived]) -> OutboxRow:
        expected, end = records[0].offset, records[-1].offset + 1
        if draft.positions[self._topic] != expected:
            raise PartitionLost("another worker has moved the position")
        draft.positions[self._topic] = end
        messages = decide(self._world, draft, records, self._make)
        waiting = {one for row in draft.outbox if row.lane == RELAY for one in _people(row.messages)}
        behind = [one for one in messages if waiting & _people([one])]
        add_to_relay(self._world, draft, behind)
        messages = [one for one in messages if one not in behind]
        row = OutboxRow(self._topic, expected, end, tuple(messages))
        if messages:
            draft.outbox.append(row)
        return row

    def publish(self, fate: Fate) -> None:
        """Publish from memory what is owed; a publication without an answer opens the lane anew."""
        if not self._owed:
            return
        messages = [message for row in self._owed for message in row.messages]
        joins_on = self._owed[0].position == self._world.log.committed[self._topic]
        if fate.done and joins_on:
            done = self._world.log.commit(self._topic, self._owner, self._owed[-1].next_position, messages)
            if not done:
                raise PartitionLost("fenced: another process publishes for this partition")
            tidy(self._world, self._topic)
        self._owed = []
        if not fate.dies and (fate is not Fate.ANSWERED or not joins_on):
            self.open()


def recover(world: "World", lane: str, owner: int) -> None:
    """Publish from the outbox what was applied and not published, up to the position in the database."""
    published, stored = world.log.committed[lane], world.db.positions[lane]
    rows = [row for row in world.db.outbox if row.lane == lane and row.position >= published]
    world.log.commit(lane, owner, stored, _leaving(world.db, rows))
    tidy(world, lane)


def relay(world: "World", count: int, fate: Fate = Fate.ANSWERED) -> None:
    """Publish the next rows of what was born in the database; whoever goes on begins at the committed position."""
    owner, published = world.log.own(RELAY), world.log.committed[RELAY]
    rows = [row for row in world.db.outbox if row.lane == RELAY and row.position >= published][:count]
    if rows and fate.done:
        world.log.commit(RELAY, owner, rows[-1].next_position, _leaving(world.db, rows))
    if not fate.dies:
        tidy(world, RELAY)


def tidy(world: "World", lane: str) -> None:
    """Delete the rows that were published."""
    published = world.log.committed[lane]
    world.db.outbox = [row for row in world.db.outbox if row.lane != lane or row.position >= published]


def add_to_relay(world: "World", draft: Database, messages: Sequence[Message]) -> None:
    """What is born in the database goes out through the relay, in the order of commits."""
    for one in messages:
        position = draft.positions.get(RELAY, 0)
        draft.positions[RELAY] = position + 1
        draft.outbox.append(OutboxRow(RELAY, position, position + 1, (one,)))


class _TooEarly(Exception):
    """What was applied before is not published yet."""


def replay_next(world: "World", topic: str, make: UnitMaker, fate: Fate) -> bool:
    """Apply the first dead letter that is marked for replay; False where there is none, or it must wait."""
    marked = (key for key, one in world.db.letters.items() if one.topic == topic and one.state == "replaying")
    key = next(marked, None)
    if key is None:
        return False

    def work(draft: Database) -> None:
        letter = draft.letters.pop(key)
        assert letter.happened is not None
        again = Arrived(letter.topic, -1, letter.reference.encode(), letter.happened)
        messages = decide(world, draft, [again], make)
        if any(row.lane != RELAY and _people(row.messages) & _people(messages) for row in draft.outbox):
            raise _TooEarly
        add_to_relay(world, draft, messages)
        del draft.verdicts[letter.topic, -1]

    try:
        transaction(world, work, fate)
    except _TooEarly:
        return False
    return True


def _leaving(db: Database, rows: Sequence[OutboxRow]) -> list[Message]:
    """What may be published of these rows (engine.outbox.read): of fenced or shredded subjects withdrawals alone."""
    every = (message for row in rows for message in row.messages)
    return [one for one in every if one.value is None or one.subject is None or db.lives(one.subject.subject_id)]


def _people(messages: Sequence[Message]) -> set[int]:
    return {one.subject.subject_id for one in messages if one.subject is not None}


def _admitted(record: Arrived) -> Event:
    happened = record.happened
    return Event(
        cast(Any, record), happened.key, type(happened.data).__name__, happened.occurred_at,
        happened.reference.encode(), happened.data,
    )  # fmt: skip
