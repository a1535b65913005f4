"""Our own stores: everything that Lethe's tables hold about the persons of a round is deleted, keys included."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from topics import catalogue
from workers.consent.desk import ConsentDesk
from workers.db import sql
from workers.engine.database import Connection
from workers.engine.outbox import Message
from workers.settings import Settings

_QUERIES = sql.queries("erasure")
_BY_SUBJECT: Final = {"shipments": "erase_shipments", "disclosures": "erase_disclosures", "mails": "erase_mails"}
_BY_REFERENCE: Final = {"dead_letters": "erase_dead_letters", "staff_disclosures": "erase_staff_disclosures"}


class Told(NamedTuple):
    """A carrier that is told to forget an address of a subject, by an event with this id."""

    subject_id: int
    carrier: str
    withdrawal_id: str


class Erased(NamedTuple):
    """What was deleted: counts by table, of each subject and of each address that mails came from."""

    by_subject: Mapping[int, Counter[str]]
    by_address: Counter[bytes]

    def of(self, subject_ids: Sequence[int], addresses: Sequence[bytes]) -> dict[str, int]:
        """The counts of one request."""
        total: Counter[str] = Counter()
        for number in subject_ids:
            total.update(self.by_subject.get(number, Counter()))
        received = sum(self.by_address[one] for one in addresses)
        return dict(sorted((total + Counter(inbox_mails=received)).items()))


async def withdrawals(
    connection: Connection, settings: Settings, subject_ids: Sequence[int]
) -> tuple[list[Message], list[Told]]:
    """A tombstone for each address that a carrier still holds, and who is told by it."""
    rows = await connection.fetch(_QUERIES["shipments_of"], subject_ids)
    held = [row for row in rows if row["state"] == "assigned"]
    tombstones = [_tombstone(row, settings) for row in held]
    return tombstones, [
        Told(row["subject_id"], row["carrier"], one.event_id) for row, one in zip(held, tombstones, strict=True)
    ]


async def disclosed(connection: Connection, settings: Settings, subject_ids: Sequence[int]) -> dict[str, list[str]]:
    """The shipments whose addresses a carrier's topic ever held, by topic: also those withdrawn long before."""
    found: dict[str, list[str]] = {}
    for row in await connection.fetch(_QUERIES["disclosed_to_carriers"], subject_ids):
        topic = catalogue.carrier_addresses(settings.prefix, row["recipient"])
        found.setdefault(topic, []).append(row["shipment_id"])
    return found


async def erase(
    connection: Connection, consent: ConsentDesk, subject_ids: Sequence[int], addresses: Sequence[bytes], now: datetime
) -> Erased:
    """Delete; in the caller's transaction. What arrived after the fence is left, to be applied to a new person."""
    rows = await connection.fetch(_QUERIES["references_of"], subject_ids)
    owner = {row["reference_hash"]: row["subject_id"] for row in rows}
    counts: dict[int, Counter[str]] = {number: Counter() for number in subject_ids}
    for table, query in _BY_SUBJECT.items():
        for row in await connection.fetch(_QUERIES[query], subject_ids):
            counts[row["subject_id"]][table] += 1
    for table, query in _BY_REFERENCE.items():
        for row in await connection.fetch(_QUERIES[query], list(owner)):
            counts[owner[row["reference_hash"]]][table] += 1
    for number, contacts in (await consent.erase_subjects(connection, subject_ids)).items():
        counts[number]["contacts"] += contacts
    received = await connection.fetch(_QUERIES["erase_inbox"], [UUID(bytes=one) for one in addresses])
    for row in await connection.fetch(_QUERIES["erase_subjects"], subject_ids):
        counts[row["subject_id"]]["data_keys"] += 1
    await connection.execute(_QUERIES["replay_after_fence"], list(owner), now)
    return Erased(counts, Counter(row["sender_hash"].bytes for row in received))


def _tombstone(row: asyncpg.Record, settings: Settings) -> Message:
    topic = settings.topic(f"carrier.{row['carrier']}.addresses")
    event_id = f"{row['shipment_id']}.{row['revision'] + 1}"
    return Message(None, topic, row["shipment_id"], "address.withdrawn", event_id, None, "erased")
