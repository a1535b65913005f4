"""A file of events, one CloudEvent in JSON (structured mode) a line, checked as a worker would check it.

No value of an event is ever part of a problem: line, field and rule say enough.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from aiokafka import ConsumerRecord

from schemas import consent, envelope, order, registry, structured
from schemas.attributes import CloudEvent
from schemas.errors import ContractError, FieldErrors
from schemas.recipient import Recipient
from workers.cli.events.upstream import Outgoing
from workers.domain import email_address, projection, screening
from workers.domain.carriers import Carrier
from workers.domain.purposes import Purposes
from workers.engine.admission import Admission, Rejected
from workers.engine.records import Record
from workers.errors import RefusalCode, Refused
from workers.settings import Settings
from workers.vault.keyring import LOOKUP_PURPOSES, Keyring

TOPICS = ("orders", "consents")
"""What an upstream publishes."""
_KEY_SIZE_BYTES = 32
_ENVELOPE = frozenset(
    (
        "data",
        "data_base64",
        "specversion",
        "id",
        "source",
        "type",
        "time",
        "subject",
        "dataschema",
        "datacontenttype",
    )
)


class Problem(NamedTuple):
    """What is wrong with one line, counted from 1. `field` is a dotted path, empty for the line as a whole."""

    line: int
    field: str
    code: str
    reason: str


class Line(NamedTuple):
    """One line: the record to publish and its topic, without prefix; or why not."""

    number: int
    record: Outgoing | None
    problems: tuple[Problem, ...]
    topic: str = ""


class Checker:
    """Checks lines one after the other; remembers which carrier an order named, for what follows it."""

    def __init__(
        self,
        settings: Settings,
        carriers: Mapping[str, Carrier],
        purposes: Purposes,
        now: datetime | None = None,
    ) -> None:
        self._settings = settings
        self._carriers = carriers
        self._purposes = purposes
        self._now = now or datetime.now(UTC)
        group, keyring = settings.group("validate"), _throwaway_keyring()
        self._admissions = {topic: Admission(group, topic, keyring, settings) for topic in TOPICS}
        self._placed: dict[str, tuple[str, bool]] = {}
        self._ids: dict[tuple[str, str], int] = {}

    def check(self, lines: Iterable[bytes]) -> Iterator[Line]:
        """Every line that is not blank."""
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield self._line(number, line.rstrip(b"\r\n"))

    def _line(self, number: int, text: bytes) -> Line:
        try:
            screening.screen(text, max_body_bytes=self._settings.body_max_bytes)
            event = structured.parse({}, text)
            topic = _topic(event)
            record = Outgoing(_key(event), envelope.to_headers(event), event.data or b"")
            self._judge(record, topic, number)
        except FieldErrors as errors:
            wrong = [Problem(number, f"data.{one.field}".rstrip("."), one.code, one.reason) for one in errors.errors]
            return Line(number, None, tuple(wrong))
        except (ContractError, Refused) as refusal:
            return Line(number, None, (Problem(number, _in_file(refusal.field), refusal.code, refusal.reason),))
        first = self._ids.setdefault((event.source, event.id), number)
        if first != number:
            reason = f"with its source is the same as in line {first}: it would be ignored as a repetition"
            return Line(number, None, (Problem(number, "id", "repeated_id", reason),))
        return Line(number, record, (), topic)

    def _judge(self, record: Outgoing, topic: str, number: int) -> None:
        """Raises what the worker would refuse the record for, the carrier's limits included."""
        admitted = self._admissions[topic].admit(_as_consumed(record, topic, number), self._now)
        if isinstance(admitted, Rejected):
            raise admitted.refusal
        data = admitted.data
        if isinstance(data, consent.ConsentEvent):
            email_address.normalise(data.email)
        if isinstance(data, consent.ConsentGiven | consent.ConsentConfirmed):
            self._purposes.declared(data.purpose)
        elif isinstance(data, order.OrderPlaced):
            self._placed[data.order_id] = (data.carrier, data.contact_consent)
            self._project(data.ship_to, data.carrier, data.contact_consent)
        elif isinstance(data, order.OrderAddressChanged):
            carrier, agreed = self._placed.get(data.order_id, (None, False))
            agreed = agreed if data.contact_consent is None else data.contact_consent
            if chosen := data.carrier or carrier:
                self._project(data.ship_to, chosen, agreed)

    def _project(self, ship_to: Recipient, name: str, consent: bool) -> None:
        carrier = self._carriers.get(name)
        if carrier is None:
            raise Refused(
                RefusalCode.UNKNOWN_CARRIER,
                "this carrier is not configured: add its file or correct the order",
                "carrier",
            )
        projection.project(ship_to, carrier, consent)


def _in_file(field: str | None) -> str:
    """The field as it is called in the file: a worker names headers and what is inside of `data`."""
    if not field:
        return ""
    if field.startswith("ce_"):
        return field.removeprefix("ce_")
    if field == "key":
        return "data.customer_ref"
    return field if field.partition(".")[0] in _ENVELOPE else f"data.{field}"


def _topic(event: CloudEvent) -> str:
    """The topic that the event belongs on, where it is one of an upstream's."""
    topic = registry.spec_for(event.type, event.dataschema).topic
    if topic not in TOPICS:
        raise Refused(
            RefusalCode.TYPE_UNKNOWN, f"is an event of the topic {topic}, not of {' or '.join(TOPICS)}", "type"
        )
    return topic


def _key(event: CloudEvent) -> bytes:
    """The customer reference; decoding the data here reports every wrong field, not only the first one."""
    data = registry.decode(event)
    return str(getattr(data, "customer_ref", "")).encode()


def _as_consumed(record: Outgoing, topic: str, number: int) -> Record:
    consumed: Record = ConsumerRecord(
        topic=topic, partition=0, offset=number, timestamp=0, timestamp_type=0, key=record.key, value=record.value,
        checksum=None, serialized_key_size=len(record.key), serialized_value_size=len(record.value),
        headers=tuple(record.headers),
    )  # fmt: skip
    return consumed


def _throwaway_keyring() -> Keyring:
    """Admission names events by keyed hashes; here nothing is kept of them, so any keys do."""
    return Keyring(
        {1: os.urandom(_KEY_SIZE_BYTES)},
        {purpose: os.urandom(_KEY_SIZE_BYTES) for purpose in LOOKUP_PURPOSES},
    )
