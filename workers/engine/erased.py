"""What comes of erased persons: what is from before their erasure is not taken in, what is from after waits its turn.

What a person does while they are fenced is parked, and replayed once they are erased. Until that is done, whatever else
they do queues behind it: their events are applied in the order of the log.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from workers.db import sql
from workers.engine.admission import Event, Rejected
from workers.engine.database import Connection
from workers.errors import RefusalCode, Refused
from workers.vault.subjects import Subject, SubjectVault

_QUERIES = sql.queries("dead_letters")


class ErasedPersons:
    """As the batches of one consumer group meet them."""

    def __init__(self, vault: SubjectVault, consumer_group: str) -> None:
        self._vault = vault
        self._group = consumer_group

    async def without_bodies(
        self, connection: Connection, admitted: Sequence[Event | Rejected]
    ) -> Sequence[Event | Rejected]:
        """What was refused unread is kept for staff; not where it is an erased person's, from before."""
        kept = {
            one.reference_hash
            for one in admitted
            if isinstance(one, Rejected) and one.refusal.keep_body and one.reference_hash is not None
        }
        erased = await self._vault.erased(connection, kept) if kept else {}
        if not erased:
            return admitted
        return [one if isinstance(one, Event) else _without_body(one, erased) for one in admitted]

    async def behind(self, connection: Connection, subjects: Mapping[bytes, Subject]) -> frozenset[bytes]:
        """Those who were erased, and of whom something that they did since waits to be replayed."""
        again = [UUID(bytes=hash_) for hash_, one in subjects.items() if one.not_before is not None and not one.fenced]
        if not again:
            return frozenset()
        rows = await connection.fetch(_QUERIES["waiting_of"], self._group, again)
        return frozenset(row["reference_hash"].bytes for row in rows)

    async def queue(self, connection: Connection, behind: Collection[bytes], now: datetime) -> None:
        """What was parked of them just now is replayed after what waits already."""
        if behind:
            hashes = [UUID(bytes=hash_) for hash_ in behind]
            await connection.execute(_QUERIES["queue_behind"], self._group, hashes, now)

    async def forget_unused(
        self, connection: Connection, events: Sequence[Event], subjects: Mapping[bytes, Subject],
        rejected: Sequence[Rejected],
    ) -> None:  # fmt: skip
        """Subjects that were made for events of erased persons, all of which were refused, are not kept."""
        fresh = {hash_ for hash_, one in subjects.items() if one.is_new and one.not_before is not None}
        if not fresh:
            return
        refused = {id(one.record) for one in rejected}
        unused = fresh - {event.reference_hash for event in events if id(event.record) not in refused}
        await self._vault.forget(connection, [subjects[hash_].subject_id for hash_ in unused])


def refuse(event: Event, subject: Subject, not_before: datetime) -> None:
    """What a person did before their erasure is theirs no more; what they do afterwards is a new person's."""
    if event.occurred_at <= not_before:
        code = RefusalCode.SUBJECT_FENCED if subject.fenced else RefusalCode.SUBJECT_ERASED
        raise Refused(code, "this person's data is erased: nothing from before is taken in any more", keep_body=False)
    if subject.fenced:
        raise Refused(
            RefusalCode.SUBJECT_FENCED,
            "this person's data is being erased this moment; what they did afterwards is applied by itself when that "
            "is done",
        )


def _without_body(one: Rejected, erased: Mapping[bytes, datetime]) -> Rejected:
    """If it happened before its person's erasure; by the time of the record where it does not say when."""
    erased_at = None if one.reference_hash is None else erased.get(one.reference_hash)
    happened_at = one.occurred_at or datetime.fromtimestamp(one.record.timestamp / 1000, UTC)
    return one if erased_at is None or happened_at > erased_at else one.without_body()
