"""The carrier receipts agent.

consumes  `carrier.<name>.receipts`: address.withdrawal_acknowledged, from each carrier on its own topic
decides   whether the answer is the carrier's own; one that belongs to no withdrawal (any more) has no effect
emits     nothing
keeps     when a withdrawal was acknowledged: in the ledger of erasures (GDPR 19) and in the disclosure ledger
"""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from schemas.address import AddressWithdrawalAcknowledged
from workers.engine.admission import Event
from workers.engine.database import Connection
from workers.engine.outbox import Message
from workers.errors import RefusalCode, Refused
from workers.proof.carrier_ledger import CarrierLedger
from workers.settings import Settings
from workers.vault.subjects import Subject

NAME = "carrier_receipts"
TOPIC = "carrier.{carrier}.receipts"


class CarrierReceiptsUnit:
    """One attempt to apply a batch of answers (engine.unit.UnitOfWork)."""

    def __init__(self, ledger: CarrierLedger, settings: Settings) -> None:
        self._ledger = ledger
        self._settings = settings
        self._answers: list[AddressWithdrawalAcknowledged] = []

    async def load(self, connection: Connection, events: Sequence[tuple[Event, Subject]]) -> None:
        """Nothing: an answer that was given before is recognised when it is stored."""

    def handle(self, event: Event, subject: Subject) -> list[Message]:
        """Take one answer in. Raises Refused with nothing changed."""
        answer = cast(AddressWithdrawalAcknowledged, event.data)  # admission lets only events of the topic through
        if event.record.key != answer.carrier.encode():
            raise Refused(RefusalCode.KEY_INVALID, "the record's key is not the carrier in its body", "key")
        if event.record.topic != self._settings.topic(TOPIC.format(carrier=answer.carrier)):
            raise Refused(RefusalCode.UNKNOWN_CARRIER, "a carrier answers on its own topic, for itself", "carrier")
        self._answers.append(answer)
        return []

    async def store(self, connection: Connection, now: datetime) -> None:
        """Write down what was acknowledged."""
        if self._answers:
            await self._ledger.acknowledge(connection, self._answers, now)
