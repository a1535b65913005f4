"""The newsletter agent.

consumes  `consents`: consent.given, consent.confirmed, consent.withdrawn, from the shop's systems
decides   what each does to the consent record of its address and purpose (`workers.domain.consent`)
emits     nothing to Kafka; a mail that asks for a confirmation, where the purpose needs one
keeps     contacts, consent records with their history, suppressions: the list is their projection
"""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from schemas import consent
from workers.clock import Clock
from workers.consent.desk import ConsentDesk
from workers.domain.consent import ConsentChange, Entity, Kind
from workers.engine.admission import Event
from workers.engine.database import Connection
from workers.engine.outbox import Message
from workers.vault.subjects import Subject

NAME = "newsletter"
TOPIC = "consents"

ConsentEvent = consent.ConsentGiven | consent.ConsentConfirmed | consent.ConsentWithdrawn


class NewsletterUnit:
    """One attempt to apply a batch of consent events (engine.unit.UnitOfWork)."""

    def __init__(self, desk: ConsentDesk, clock: Clock) -> None:
        self._session = desk.session(clock())

    async def load(self, connection: Connection, events: Sequence[tuple[Event, Subject]]) -> None:
        """Read the contacts and records that these events are about, locked until the commit."""
        await self._session.load(connection, [_change(event) for event, _ in events])

    def handle(self, event: Event, subject: Subject) -> list[Message]:
        """Decide one consent event. Raises Refused with nothing changed."""
        self._session.decide(_change(event))
        return []

    async def store(self, connection: Connection, now: datetime) -> None:
        """Write contacts, records, history, suppressions, and the mails that follow."""
        await self._session.store(connection, now)


def _change(event: Event) -> ConsentChange:
    data = cast(ConsentEvent, event.data)  # admission lets only events of the topic through
    change = ConsentChange(
        Kind.WITHDRAWN, data.purpose, Entity.UPSTREAM, "upstream", event.occurred_at, email=data.email,
        reference_hash=event.reference_hash,
    )  # fmt: skip
    if isinstance(data, consent.ConsentWithdrawn):
        return change._replace(collection_method=data.withdrawal_method)
    evidence = {"customer_ref": data.customer_ref, **data.evidence.model_dump(mode="json", exclude_none=True)}
    if isinstance(data, consent.ConsentConfirmed):
        return change._replace(kind=Kind.CONFIRMED, collection_method="confirmed_upstream", evidence=evidence)
    if data.double_opt_in is not None:
        evidence["double_opt_in"] = data.double_opt_in.model_dump(mode="json", exclude_none=True)
    return change._replace(
        kind=Kind.GIVEN,
        collection_method=data.collection_method,
        language=data.language,
        privacy_notice=data.privacy_notice,
        evidence=evidence,
        double_opt_in=data.double_opt_in is not None,
    )
