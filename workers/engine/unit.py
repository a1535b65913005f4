"""What an agent gives to the engine: a fresh unit of work per attempt at a batch."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from workers.engine.admission import Event
from workers.engine.database import Connection
from workers.engine.outbox import Message
from workers.vault.subjects import Subject


class UnitOfWork(Protocol):
    """One attempt to apply a batch. The engine calls load, then handle per event in order, then store."""

    async def load(self, connection: Connection, events: Sequence[tuple[Event, Subject]]) -> None:
        """Read the state that these events touch."""

    def handle(self, event: Event, subject: Subject) -> list[Message]:
        """Decide one event; returns what it emits. Raises Refused with nothing changed."""

    async def store(self, connection: Connection, now: datetime) -> None:
        """Write what was decided."""
