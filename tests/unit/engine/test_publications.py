"""What a carrier reads: CloudEvents in binary mode, on the partition where librdkafka would look for the key."""

from datetime import UTC, datetime

import pytest

from schemas import envelope
from workers.engine import outbox
from workers.engine.outbox import Message
from workers.engine.publisher import partition_of

AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
ADDRESS = Message(None, "carrier.gls.addresses", "o1", "address.assigned", "o1.1", b'{"a":1}')
WITHDRAWAL = Message(None, "carrier.gls.addresses", "o1", "address.withdrawn", "o1.2", None, "cancelled")


def test_an_address_is_a_cloud_event_with_a_body() -> None:
    (one,) = outbox.publications([ADDRESS], AT)
    assert (one.topic, one.key, one.value) == ("carrier.gls.addresses", b"o1", b'{"a":1}')
    assert one.headers == [
        ("ce_specversion", b"1.0"),
        ("ce_source", b"lethe"),
        ("ce_id", b"o1.1"),
        ("ce_type", b"address.assigned"),
        ("ce_time", b"2026-03-01T12:30:00+00:00"),
        ("content-type", b"application/json"),
    ]


def test_a_withdrawal_is_a_tombstone_that_says_what_and_why() -> None:
    (one,) = outbox.publications([WITHDRAWAL], AT)
    headers = dict(one.headers)
    assert one.value is None
    assert (headers["ce_subject"], headers["ce_reason"]) == (b"o1", b"cancelled")
    assert "content-type" not in headers


def test_both_are_read_by_the_contract() -> None:
    address, withdrawal = (
        envelope.parse(one.headers, one.value) for one in outbox.publications([ADDRESS, WITHDRAWAL], AT)
    )
    assert (address.id, address.type, address.time) == ("o1.1", "address.assigned", AT)
    assert (withdrawal.subject, withdrawal.extensions["reason"]) == ("o1", "cancelled")


def test_the_order_of_messages_is_kept() -> None:
    assert [dict(one.headers)["ce_id"] for one in outbox.publications([WITHDRAWAL, ADDRESS], AT)] == [b"o1.2", b"o1.1"]


# CRC-32 (ISO-HDLC) of the key: the check value of "123456789" is in every catalogue of CRCs.
@pytest.mark.parametrize(("key", "crc"), [(b"123456789", 0xCBF43926), (b"", 0), (b"a", 0xE8B7BE43)])
@pytest.mark.parametrize("count", [1, 2, 7, 64])
def test_a_key_s_partition_is_its_crc(key: bytes, crc: int, count: int) -> None:
    assert partition_of(key, count) == crc % count
