"""Parking: a refused record is put aside, sealed whole, with its reason; too many in a row stop the worker."""

import base64
from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid5

import orjson
from aiokafka import ConsumerRecord

from schemas import dead_letter
from workers.db import sql
from workers.engine import crashpoints
from workers.engine.admission import Rejected
from workers.engine.database import Connection
from workers.engine.outbox import Message
from workers.engine.records import Record
from workers.errors import ParkingLimit, RefusalCode
from workers.settings import Settings
from workers.vault import epochs, sealing
from workers.vault.keyring import Keyring

_QUERIES = sql.queries("dead_letters")


class ParkingLot:
    """The dead letters of one consumer group."""

    def __init__(self, consumer_group: str, topic: str, keyring: Keyring) -> None:
        self._group = consumer_group
        self._topic = topic
        self._keyring = keyring

    async def park(self, connection: Connection, rejected: Sequence[Rejected], now: datetime) -> list[Message]:
        """Store refused records in the caller's transaction; returns the notices for the dead-letter topic.

        A record that is published twice is one dead letter, seen twice, and one notice.
        """
        notices = []
        epoch = await epochs.hold(connection, self._keyring)
        fingerprints = [self._fingerprint(one) for one in rejected]
        await connection.execute(_QUERIES["forget_expired"], fingerprints)
        for one, fingerprint in zip(rejected, fingerprints, strict=True):
            letter_id = uuid5(fingerprint, f"{one.record.topic}/{one.record.partition}/{one.record.offset}")
            if await connection.fetchval(_QUERIES["park"], *self._row(letter_id, fingerprint, one, epoch, now)):
                notices.append(self._notice(letter_id, one, now))
        crashpoints.reach("parking.before_commit")
        return notices

    def _row(
        self, letter_id: UUID, fingerprint: UUID, one: Rejected, wrapping_epoch: int, now: datetime
    ) -> tuple[object, ...]:
        record, refusal = one.record, one.refusal
        wrapped = epoch = sealed = None
        if refusal.keep_body:
            epoch = wrapping_epoch
            wrapped, key = sealing.new_wrapped_key(self._keyring.kek(epoch), _owner(letter_id, epoch))
            sealed = key.seal(pack(record), _place(letter_id))
        hashed = one.reference_hash and UUID(bytes=one.reference_hash)
        return (
            letter_id, fingerprint, self._group, record.topic, record.partition, record.offset, refusal.code,
            refusal.reason, refusal.field, one.event_type, hashed, wrapped, epoch, sealed, now,
        )  # fmt: skip

    def _fingerprint(self, one: Rejected) -> UUID:
        """Names this content of this event; a record without a readable envelope is named by its place in the log."""
        record = one.record
        if one.event_key is None:
            named = f"{self._group}|{record.topic}|{record.partition}|{record.offset}".encode()
        elif not one.refusal.keep_body:
            named = one.event_key  # what may not be kept is not kept as a hash either
        else:
            named = one.event_key + b"|" + (record.key or b"") + b"|" + (record.value or b"")
        return UUID(bytes=self._keyring.lookup_hash("dead-letter", named))

    def _notice(self, letter_id: UUID, one: Rejected, now: datetime) -> Message:
        notice = dead_letter.DeadLetterParked(
            dead_letter_id=letter_id,
            code=one.refusal.code.value,
            reason=one.refusal.reason,
            field=one.refusal.field,
            source_topic=one.record.topic,
            source_partition=one.record.partition,
            source_offset=one.record.offset,
            parked_at=now,
        )
        body = notice.model_dump_json(exclude_none=True).encode()
        return Message(None, self._topic, str(letter_id), "dead_letter.parked", str(letter_id), body)


class Standing(NamedTuple):
    """What the guard remembers: the last outcomes (True: refused) and the refusals in a row at their end."""

    window: deque[bool]
    consecutive: int


class ParkingGuard:
    """Stops a worker that would drain its topic into the dead letters (arroyo's DlqLimit)."""

    def __init__(self, settings: Settings) -> None:
        self._max_consecutive = settings.parking_max_consecutive
        self._max_ratio = settings.parking_max_ratio
        self._standing = Standing(deque(maxlen=settings.parking_window), 0)

    def check(self, outcomes: Sequence[RefusalCode | None]) -> Standing:
        """Judge a batch's outcomes in order (None: not refused). Raises ParkingLimit.

        Returns where the worker stands if the batch commits; pass it to `accept` then.
        """
        consecutive = worst = self._standing.consecutive
        for outcome in outcomes:
            consecutive = consecutive + 1 if outcome else 0
            worst = max(worst, consecutive)
        window = self._standing.window.copy()
        window.extend(outcome is not None for outcome in outcomes)
        full = len(window) == window.maxlen
        refused = Counter(outcome for outcome in outcomes if outcome)
        too_many = worst >= self._max_consecutive or (full and sum(window) / len(window) > self._max_ratio)
        if refused and too_many:  # a batch without refusals is no reason to stop, whatever came before it
            code, count = refused.most_common(1)[0]
            raise ParkingLimit(
                f"{worst} refusals in a row and {sum(window)} in the last {len(window)} events, in this batch mostly "
                f"{code} ({count} times): something is wrong with all of them, so the worker stops instead of "
                "parking the topic. Nothing of this batch was applied. Mend the cause, or raise "
                "LETHE_PARKING_MAX_CONSECUTIVE or LETHE_PARKING_MAX_RATIO, then start the worker again"
            )
        return Standing(window, consecutive)

    def accept(self, standing: Standing) -> None:
        """The batch was committed: count it."""
        self._standing = standing


def pack(record: Record) -> bytes:
    """A record whole, as bytes to seal: key, headers, value, timestamp in ms."""
    return orjson.dumps(
        {
            "key": _encode(record.key),
            "value": _encode(record.value),
            "headers": [[name, _encode(value)] for name, value in record.headers],
            "timestamp_ms": record.timestamp,
        }
    )


def unpack(packed: bytes, topic: str, partition: int, offset: int) -> Record:
    """The record that was packed, at its old place in the log."""
    fields = orjson.loads(packed)
    key, value = _decode(fields["key"]), _decode(fields["value"])
    record: Record = ConsumerRecord(
        topic=topic, partition=partition, offset=offset, timestamp=fields["timestamp_ms"], timestamp_type=0, key=key,
        value=value, checksum=None, serialized_key_size=len(key or b""), serialized_value_size=len(value or b""),
        headers=tuple((name, _decode(header)) for name, header in fields["headers"]),
    )  # fmt: skip
    return record


def open_letter(keyring: Keyring, letter_id: UUID, wrapped: bytes, epoch: int, sealed: bytes) -> bytes:
    """The packed record of a dead letter. Raises Unreadable, or KeyMissing when its epoch was destroyed."""
    key = sealing.unwrap_key(keyring.kek(epoch), wrapped, _owner(letter_id, epoch))
    return key.unseal(sealed, _place(letter_id))


def _owner(letter_id: UUID, epoch: int) -> bytes:
    return sealing.place("dead_letters", "wrapped_key", str(letter_id), str(epoch))


def _place(letter_id: UUID) -> bytes:
    return sealing.place("dead_letters", "sealed", "-", str(letter_id))


def _encode(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _decode(value: str | None) -> bytes | None:
    return None if value is None else base64.b64decode(value)
