"""Kafka, as far as Lethe relies on it: offsets, transactions that fence, compaction, trimming."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel

from workers.engine.outbox import Message

PARTITION = 0


class Happened(NamedTuple):
    """An event as its source tells it. `reference` is the record's key: by whom or what it is known."""

    source: str
    event_id: str
    occurred_at: datetime
    reference: str
    data: BaseModel

    @property
    def key(self) -> bytes:
        """What a repetition is known by: source and id, nothing else."""
        return f"{self.source}|{self.event_id}".encode()


class Arrived(NamedTuple):
    """A record of an inbound topic (engine.records.Record)."""

    topic: str
    offset: int
    key: bytes
    happened: Happened
    partition: int = PARTITION
    timestamp: int = 0
    value: bytes | None = b""
    headers: Sequence[tuple[str, bytes]] = ()


class Sent(NamedTuple):
    """A record that has left: `moment` orders it among everything that leaves. `value` None is a tombstone."""

    topic: str
    offset: int
    key: str
    event_id: str
    value: bytes | None
    subject_id: int | None
    moment: int


class Log:
    """Topics of one partition each. What was sent is remembered for good; `held` is what a broker would still hold."""

    def __init__(self) -> None:
        self.moments = itertools.count(1)
        self.inbound: defaultdict[str, list[Arrived]] = defaultdict(list)
        self.start: defaultdict[str, int] = defaultdict(int)
        self.sent: defaultdict[str, list[Sent]] = defaultdict(list)
        self.compacted: defaultdict[str, set[int]] = defaultdict(set)
        self.committed: defaultdict[str, int] = defaultdict(int)
        self._owner: defaultdict[str, int] = defaultdict(int)

    def publish(self, topic: str, happened: Happened) -> Arrived:
        """Somebody upstream appends a record."""
        record = Arrived(topic, len(self.inbound[topic]), happened.reference.encode(), happened)
        self.inbound[topic].append(record)
        return record

    def own(self, lane: str) -> int:
        """Begin to publish for a lane: whoever did so before is fenced (transactional.id)."""
        self._owner[lane] += 1
        return self._owner[lane]

    def commit(self, lane: str, owner: int, position: int, messages: Sequence[Message]) -> bool:
        """One transaction: these records and the lane's position, or nothing, where the producer is fenced."""
        if self._owner[lane] != owner:
            return False
        for one in messages:
            entries = self.sent[one.topic]
            subject_id = None if one.subject is None else one.subject.subject_id
            entries.append(
                Sent(one.topic, len(entries), one.key, one.event_id, one.value, subject_id, next(self.moments))
            )
        self.committed[lane] = position
        return True

    def trim(self, topic: str, before: int) -> None:
        """DeleteRecords."""
        self.start[topic] = max(self.start[topic], before)

    def compact(self, topic: str) -> None:
        """The cleaner has passed: what a later record of the same key replaces is gone."""
        last = {one.key: one.offset for one in self.sent[topic]}
        self.compacted[topic] |= {one.offset for one in self.sent[topic] if one.offset < last[one.key]}

    def held(self, topic: str) -> Iterator[Sent]:
        """What a read of the topic finds."""
        return (one for one in self.sent[topic] if one.offset not in self.compacted[topic])

    def carriers(self) -> dict[str, dict[str, bytes]]:
        """What each carrier knows who has read all of its topic: addresses by shipment."""
        known: dict[str, dict[str, bytes]] = {}
        for topic, entries in self.sent.items():
            if not topic.startswith("carrier."):
                continue
            view: dict[str, bytes] = {}
            for one in entries:
                if one.value is None:
                    view.pop(one.key, None)
                else:
                    view[one.key] = one.value
            known[topic.split(".")[1]] = view
        return known
