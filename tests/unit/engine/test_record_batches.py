"""What a broker sends is read to its end, also where a header's name is not UTF-8."""

from typing import Any

import pytest

from tests.support.broken_headers import MARKER, batch
from tests.support.orders import Published, placed
from workers.engine.record_batches import TolerantRecords

BROKEN_NAME = "\ufffd\ufffdto-be-broken"


def named(order_id: str, *names: str) -> Published:
    one = placed(order_id)
    return one._replace(headers=[*one.headers, *((name, b"1") for name in names)])


def read(sent: bytes) -> list[Any]:
    records, found = TolerantRecords(sent), []
    while records.has_next():
        one = records.next_batch()
        assert one.validate_crc()
        found += list(one)
    return found


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_the_records_around_a_broken_one_are_as_they_were(codec: str) -> None:
    events = [named("o1"), named("o2", MARKER[:3], MARKER), named("o3", "other"), named("o4", MARKER), named("o5")]
    found = read(batch(events, codec))
    assert [record.offset for record in found] == [0, 1, 2, 3, 4]
    assert [(record.key, record.value) for record in found] == [(one.key, one.value) for one in events]
    broken = [(name.replace(MARKER, BROKEN_NAME), value) for name, value in events[1].headers]
    assert list(found[1].headers) == broken
    assert list(found[2].headers) == list(events[2].headers)
    assert {record.timestamp for record in found} == {1}


def test_batches_behind_a_broken_one_are_read() -> None:
    sent = batch([named("o1", MARKER)]) + batch([named("o2"), named("o3")])
    assert [record.value for record in read(sent)] == [placed(name).value for name in ("o1", "o2", "o3")]


def test_an_absent_key_value_and_header_stay_absent() -> None:
    one = Published(None, [(MARKER, None)], None)  # type: ignore[list-item]  # the protocol allows it
    [record] = read(batch([one]))
    assert (record.key, record.value, record.headers) == (None, None, [(BROKEN_NAME, None)])


def test_a_part_of_a_batch_is_left_for_the_next_fetch() -> None:
    whole = batch([named("o1", MARKER)])
    records = TolerantRecords(whole + whole[:-1])
    assert records.has_next()
    records.next_batch()
    assert not records.has_next()
    assert records.size_in_bytes() == 2 * len(whole) - 1
