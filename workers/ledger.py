"""The ledger in Kafka: every erasure and every no is told to it in the transaction that makes it so.

A backup of the database that is older than an entry would bring the person back, or write to them again. The entries
lie outside the database; `lethe restore` replays them. Keyed hashes only.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from schemas import registry
from schemas.ledger import AddressSuppressed, SubjectErased
from workers.engine import relay
from workers.engine.database import Connection
from workers.engine.outbox import Message
from workers.settings import Settings

TOPIC: Final = "ledger"
_SHARD = 0
Entry = SubjectErased | AddressSuppressed


async def tell_erased(
    connection: Connection, settings: Settings, reference_hashes: Iterable[UUID], erased_at: datetime
) -> None:
    """These persons are erased. In the caller's transaction, as its last step: others wait for its end here."""
    await tell(
        connection,
        settings,
        [SubjectErased(reference_hash=one, erased_at=erased_at) for one in reference_hashes],
        erased_at,
    )


async def tell(connection: Connection, settings: Settings, entries: Sequence[Entry], now: datetime) -> None:
    """Tell the ledger, in the caller's transaction, as its last step: others wait for its end here."""
    await relay.add(connection, settings, _SHARD, now, [_message(settings, entry) for entry in entries])


def _message(settings: Settings, entry: Entry) -> Message:
    if isinstance(entry, SubjectErased):
        event_type, key, time = "subject.erased", f"erased:{entry.reference_hash}", entry.erased_at
    else:
        event_type, time = "address.suppressed", entry.since
        key = f"suppressed:{entry.suppression_hash}:{entry.purpose}"
    event_id = f"{key}@{time.isoformat()}"
    return Message(None, settings.topic(TOPIC), key, event_type, event_id, registry.encode(entry))
