"""A record that is parked comes out of its dead letter as it went in, whatever bytes it is made of."""

import uuid

import pytest
from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letter import DeadLetterParked
from tests.support.orders import NOW, Published, placed, record
from workers.engine import parking
from workers.engine.admission import Rejected
from workers.engine.parking import ParkingLot
from workers.errors import KeyMissing, RefusalCode, Refused
from workers.vault.keyring import LOOKUP_PURPOSES, Keyring
from workers.vault.sealing import Unreadable

RING = Keyring({1: bytes(32), 2: b"2" * 32}, dict.fromkeys(LOOKUP_PURPOSES, b"k" * 32))
LOT = ParkingLot("lethe.shipping", "shipping.dead-letters", RING)
LETTER = uuid.UUID(int=7)
maybe_bytes = st.none() | st.binary(max_size=40)


def essence(one: ConsumerRecord) -> tuple[object, ...]:
    place = one.topic, one.partition, one.offset, one.timestamp
    return *place, one.key, one.value, [tuple(header) for header in one.headers]


@given(maybe_bytes, maybe_bytes, st.lists(st.tuples(st.text(max_size=8), maybe_bytes), max_size=4))
def test_nothing_of_a_record_is_lost(key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
    before = record(Published(key, headers, value), offset=41, partition=3, topic="t.orders")
    assert essence(parking.unpack(parking.pack(before), "t.orders", 3, 41)) == essence(before)


def rejected(keep_body: bool = True) -> Rejected:
    refusal = Refused(RefusalCode.INVALID_FIELD, "is wrong", keep_body=keep_body)
    return Rejected(record(placed()), refusal, b"k" * 16, "order.placed", None)


def sealed_row(one: Rejected) -> tuple[bytes, int, bytes]:
    *_, wrapped, epoch, sealed, _now = LOT._row(LETTER, LETTER, one, RING.current_epoch, NOW)
    return wrapped, epoch, sealed  # type: ignore[return-value]  # a row is a tuple of objects


def test_a_letter_opens_to_the_record() -> None:
    one = rejected()
    packed = parking.open_letter(RING, LETTER, *sealed_row(one))
    assert essence(parking.unpack(packed, "orders", 0, 0)) == essence(one.record)


def test_a_letter_is_sealed_under_the_current_epoch_and_opens_for_its_own_id_only() -> None:
    wrapped, epoch, sealed = sealed_row(rejected())
    assert epoch == 2
    assert b"Erika" not in sealed
    with pytest.raises(Unreadable):
        parking.open_letter(RING, uuid.UUID(int=8), wrapped, epoch, sealed)


def test_a_letter_of_a_destroyed_epoch_stays_closed() -> None:
    wrapped, epoch, sealed = sealed_row(rejected())
    later = Keyring({3: bytes(32)}, dict.fromkeys(LOOKUP_PURPOSES, b"k" * 32))
    with pytest.raises(KeyMissing):
        parking.open_letter(later, LETTER, wrapped, epoch, sealed)


def test_what_may_not_be_kept_is_not_kept() -> None:
    assert sealed_row(rejected(keep_body=False)) == (None, None, None)


def fingerprint(
    value: bytes, event_key: bytes | None = b"k" * 16, keep_body: bool = True, offset: int = 0
) -> uuid.UUID:
    one = rejected(keep_body)
    published = Published(b"c1", list(one.record.headers), value)
    return LOT._fingerprint(one._replace(record=record(published, offset), event_key=event_key))


def test_the_same_content_of_the_same_event_is_one_letter_wherever_it_is_read() -> None:
    assert fingerprint(b"{}", offset=1) == fingerprint(b"{}", offset=9)


def test_a_corrected_content_is_another_letter() -> None:
    assert fingerprint(b"{}") != fingerprint(b"[]")
    assert fingerprint(b"{}") != fingerprint(b"{}", event_key=b"x" * 16)


def test_without_an_envelope_the_place_in_the_log_tells_letters_apart() -> None:
    assert fingerprint(b"{}", None, offset=1) == fingerprint(b"[]", None, offset=1)
    assert fingerprint(b"{}", None, offset=1) != fingerprint(b"{}", None, offset=2)


def test_what_may_not_be_kept_is_not_kept_as_a_hash_either() -> None:
    assert fingerprint(b'{"card":1}', keep_body=False) == fingerprint(b'{"card":2}', keep_body=False)


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b'{"name":"Erika Beispiel"}'])
def test_the_notice_says_where_and_why_and_nothing_else(body: bytes) -> None:
    one = rejected()
    message = LOT._notice(LETTER, one._replace(record=record(Published(b"c1", [], body), 5, 1)), NOW)
    told = DeadLetterParked.model_validate_json(message.value or b"")
    assert (told.source_topic, told.source_partition, told.source_offset) == ("orders", 1, 5)
    assert (told.code, told.reason, told.field) == ("invalid_field", "is wrong", None)
    assert message.subject is None
    assert message.key == str(LETTER)
    assert b"Erika" not in (message.value or b"")
