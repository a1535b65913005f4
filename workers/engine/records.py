"""What the intake hands to an agent: slices of partitions, applied together in one transaction."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from aiokafka import TopicPartition


class Record(Protocol):
    """What Lethe uses of a consumed record (aiokafka.ConsumerRecord). `timestamp` is in ms."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Slice(NamedTuple):
    """Consecutive records of one partition.

    `expected_offset` is the stored position that must be in force when the slice is applied, `next_offset` the one
    that replaces it. Offsets between them that no record has are control records or were compacted away.
    """

    partition: TopicPartition
    records: Sequence[Record]
    expected_offset: int
    next_offset: int


class Batch(NamedTuple):
    """The slices of one poll."""

    slices: tuple[Slice, ...]

    @property
    def record_count(self) -> int:
        """How many records there are in all slices."""
        return sum(len(slice_.records) for slice_ in self.slices)

    def halves(self) -> "tuple[Batch, Batch]":
        """The same records as two batches to be applied one after the other. Needs two records at least."""
        if len(self.slices) > 1:
            middle = len(self.slices) // 2
            return Batch(self.slices[:middle]), Batch(self.slices[middle:])
        only = self.slices[0]
        middle = len(only.records) // 2
        cut = only.records[middle].offset
        return (
            Batch((only._replace(records=only.records[:middle], next_offset=cut),)),
            Batch((only._replace(records=only.records[middle:], expected_offset=cut),)),
        )
