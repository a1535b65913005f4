"""Admission: from a raw record to a checked event, or to the reason why it is parked. Touches no database."""

from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import BaseModel

from schemas import attributes, envelope, registry
from schemas.errors import ContractError
from workers.domain import keeping, screening
from workers.engine.records import Record
from workers.errors import RefusalCode, Refused
from workers.settings import Settings
from workers.vault.keyring import Keyring

_BODY_MAX_BYTES = {"store-tasks": 2 << 20, "store-receipts": 2 << 20}
"""Where one event is about up to a thousand people, `body_max_bytes` is too small."""


class Event(NamedTuple):
    """A record that passed admission."""

    record: Record
    event_key: bytes
    event_type: str
    occurred_at: datetime
    reference_hash: bytes
    data: BaseModel


class Rejected(NamedTuple):
    """A record that did not, and what is known about it all the same."""

    record: Record
    refusal: Refused
    event_key: bytes | None
    event_type: str | None
    reference_hash: bytes | None
    occurred_at: datetime | None = None
    """None where it does not say so in a way that can be read."""

    def without_body(self) -> "Rejected":
        """To be parked as a reason alone."""
        refusal = Refused(self.refusal.code, self.refusal.reason, self.refusal.field, keep_body=False)
        return self._replace(refusal=refusal)


class Admission:
    """Checks the records of one consumer group against the contracts of one topic."""

    def __init__(self, consumer_group: str, topic: str, keyring: Keyring, settings: Settings) -> None:
        self._group = consumer_group.encode()
        self._topic = topic
        self._keyring = keyring
        self._settings = settings
        self._body_max_bytes = max(settings.body_max_bytes, _BODY_MAX_BYTES.get(topic, 0))
        self._max_future = timedelta(seconds=settings.event_max_future_s)
        self._max_age = timedelta(seconds=settings.event_max_age_s)

    def admit(self, record: Record, now: datetime) -> Event | Rejected:
        """The event, or why the record is refused."""
        event: attributes.CloudEvent | None = None
        reference_hash: bytes | None = None
        try:
            screening.screen_headers(record.headers)
            reference = screening.screen_key(record.key)
            reference_hash = self._keyring.lookup_hash("subject-reference", reference.encode())
            event = envelope.parse(record.headers, record.value)
            data = self._data(event, record.value)
            self._check(event, data, reference, now)
            return Event(record, self._event_key(event), event.type, event.time, reference_hash, data)
        except ContractError as error:
            refusal = Refused(RefusalCode(error.code.value), error.reason, error.field)
        except Refused as refused:
            refusal = refused
        except Exception as error:  # a fault of ours must not hold up everybody else's orders
            refusal = Refused(
                RefusalCode.INTERNAL_ERROR,
                f"a fault in Lethe ({type(error).__name__}); the event is kept sealed: report it, then replay it",
            )
        if refusal.keep_body and not _may_be_kept(record):
            refusal = Refused(refusal.code, refusal.reason, refusal.field, keep_body=False)
        if event is None:
            return Rejected(record, refusal, None, None, reference_hash)
        known_type = _known_type(event.type)
        return Rejected(record, refusal, self._event_key(event), known_type, reference_hash, event.time)

    def _data(self, event: attributes.CloudEvent, value: bytes | None) -> BaseModel:
        if value is None or event.data is None:
            raise Refused(RefusalCode.INVALID_JSON, "the record has no body; an event needs one")
        screening.screen(value, max_body_bytes=self._body_max_bytes)
        if event.data is not value:  # the structured mode's data may have been base64
            screening.screen(event.data, max_body_bytes=self._body_max_bytes)
        spec = registry.spec_for(event.type, event.dataschema)
        if spec.topic != self._topic:
            raise Refused(
                RefusalCode.TYPE_UNKNOWN,
                f"is an event of the topic {spec.topic}, not of {self._topic}",
                "ce_type",
            )
        return registry.decode_data(spec, event.data)

    def _check(self, event: attributes.CloudEvent, data: BaseModel, reference: str, now: datetime) -> None:
        if getattr(data, "customer_ref", reference) != reference:
            raise Refused(
                RefusalCode.KEY_INVALID,
                "the record's key is not the customer_ref in its body; "
                "key events by customer_ref, so that one customer's events keep their order",
                "key",
            )
        if not -self._max_future <= now - event.time <= self._max_age:
            settings = self._settings
            screening.check_time(event.time, now, settings.event_max_future_s, settings.event_max_age_s)

    def _event_key(self, event: attributes.CloudEvent) -> bytes:
        """Names an event for dedupe: a keyed hash of 16 bytes, since an upstream may have put anything into its ids."""
        named = b"\0".join((self._group, event.source.encode(), event.id.encode()))
        return self._keyring.lookup_hash("event", named)


def _may_be_kept(record: Record) -> bool:
    """Not where looking for card data fails: what could not be looked through might hold some."""
    try:
        return keeping.may_be_kept(record.key, record.headers, record.value)
    except Exception:
        return False


def _known_type(event_type: str) -> str | None:
    """The type where it is one of ours; what somebody else wrote into that header is not repeated."""
    return event_type if (event_type, 1) in registry.EVENTS else None
