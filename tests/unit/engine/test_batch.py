"""A batch, halved: the same records in the same order, and positions that join."""

import pytest
from aiokafka import TopicPartition

from tests.support.orders import placed, record
from workers.engine.admission import Rejected
from workers.engine.batch import Batch, Slice, lane_name
from workers.errors import RefusalCode, Refused

REFUSAL = Refused(RefusalCode.INVALID_FIELD, "is wrong")


def slice_of(partition: int, numbers: list[int], expected: int, after: int) -> Slice:
    admitted = [Rejected(record(placed(), number, partition), REFUSAL, None, None, None) for number in numbers]
    return Slice(TopicPartition("orders", partition), admitted, expected, after)


def offsets(batch: Batch) -> list[tuple[int, int]]:
    return [(one.partition.partition, r.record.offset) for one in batch.slices for r in one.admitted]


@pytest.mark.parametrize("count", [2, 3, 7, 100])
def test_the_halves_of_one_slice_hold_its_records_in_order_and_join(count: int) -> None:
    batch = Batch((slice_of(0, list(range(10, 10 + count)), 8, 10 + count + 3),))
    first, second = batch.halves()
    assert offsets(first) + offsets(second) == offsets(batch)
    assert first.record_count
    assert second.record_count
    assert abs(first.record_count - second.record_count) <= 1
    assert first.slices[0].expected_offset == 8
    assert first.slices[0].next_offset == second.slices[0].expected_offset == second.slices[0].admitted[0].record.offset
    assert second.slices[0].next_offset == 10 + count + 3


def test_control_records_and_compacted_ones_between_records_are_passed_over() -> None:
    first, second = Batch((slice_of(0, [3, 9], 1, 20),)).halves()
    assert [(s.expected_offset, s.next_offset) for s in (*first.slices, *second.slices)] == [(1, 9), (9, 20)]


def test_several_slices_are_halved_between_them() -> None:
    batch = Batch(tuple(slice_of(partition, [1, 2], 1, 3) for partition in range(3)))
    first, second = batch.halves()
    assert len(first.slices) == 1
    assert (*first.slices, *second.slices) == batch.slices


def test_halving_ends_at_single_records() -> None:
    pending, single = [Batch(tuple(slice_of(partition, list(range(5)), 0, 5) for partition in range(2)))], []
    whole = offsets(pending[0])
    while pending:
        batch = pending.pop(0)
        if batch.record_count == 1:
            single += offsets(batch)
        else:
            pending[:0] = batch.halves()
    assert single == whole


def test_a_lane_is_named_by_group_topic_and_partition() -> None:
    names = {
        lane_name(group, TopicPartition(topic, partition))
        for group in ("t.lethe.shipping", "t.lethe.other")
        for topic in ("t.orders", "t.requests")
        for partition in (0, 1)
    }
    assert len(names) == 8
