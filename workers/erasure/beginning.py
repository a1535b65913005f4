"""The first step of a round: who is meant, their no to everything, and the fence. Many requests in one transaction."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from workers import ledger
from workers.clock import Clock
from workers.consent.desk import ConsentDesk
from workers.db import sql
from workers.domain.email_address import normalise
from workers.domain.requests import Move, Reason
from workers.engine import crashpoints
from workers.engine.database import Connection
from workers.erasure import identities, people
from workers.erasure.desk import RequestDesk
from workers.erasure.identities import Identities
from workers.erasure.letters import RequestLetters
from workers.erasure.people import People
from workers.errors import Refused
from workers.settings import Settings
from workers.vault.subjects import Subject, SubjectVault

_QUERIES = sql.queries("erasure")
_REQUESTS = sql.queries("requests")
_CHUNK = 1000
ACTOR = "lethe"


class Beginning:
    """Takes verified requests up. Only one process does so at a time."""

    def __init__(
        self, vault: SubjectVault, people_: People, consent: ConsentDesk, desk: RequestDesk, letters: RequestLetters,
        settings: Settings, clock: Clock,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._vault = vault
        self._people = people_
        self._consent = consent
        self._desk = desk
        self._letters = letters
        self._settings = settings

    async def release(self, connection: Connection, now: datetime) -> int:
        """Let those go on whose orders were delivered, or who waited as long as they may; returns how many."""
        held = await connection.fetch(_QUERIES["held_for_orders"], _CHUNK)
        open_ = await self._in_flight(connection, {number for row in held for number in row["subject_ids"]})
        ready = [row["request_id"] for row in held if row["hold_until"] <= now or not open_ & set(row["subject_ids"])]
        if ready:
            await self._desk.move(connection, ready, Move.RELEASE, ACTOR, now)
            crashpoints.reach("erasure.before_release_commit")
        return len(ready)

    async def begin(self, connection: Connection, epoch: int, now: datetime) -> int:
        """Fence the persons of the next requests; returns how many requests were looked at."""
        rows = {row["request_id"]: row for row in await connection.fetch(_QUERIES["to_begin"], _CHUNK)}
        if not rows:
            return 0
        keys = await self._vault.hold_by_id(connection, {row["key_subject_id"] for row in rows.values()})
        known = {
            one: identities.unseal(row["sealed"], keys[row["key_subject_id"]], one) for one, row in rows.items()
        }  # fmt: skip
        subjects = await self._people.subjects_of(connection, known)
        waiting = await self._hold_for_orders(connection, rows, keys, known, subjects, now)
        going = [one for one in rows if one not in waiting]
        if going:
            await self._fence(connection, going, rows, keys, known, subjects, epoch)
        crashpoints.reach("erasure.before_fence_commit")
        return len(rows)

    async def _hold_for_orders(
        self, connection: Connection, rows: Mapping[UUID, asyncpg.Record], keys: Mapping[int, Subject],
        known: Mapping[UUID, Identities], subjects: Mapping[UUID, set[int]], now: datetime,
    ) -> set[UUID]:  # fmt: skip
        """Requests that wait for a delivery; the person is told."""
        if self._settings.orders_in_flight == "cancel":
            return set()
        open_ = await self._in_flight(connection, set().union(*subjects.values()))
        until = now + timedelta(days=self._settings.erasure_wait_days)
        waiting = {
            one
            for one, row in rows.items()
            if open_ & subjects[one] and (row["hold_until"] is None or row["hold_until"] > now)
        }
        if waiting:
            await self._remember(connection, sorted(waiting), subjects)
            fresh = [one for one in waiting if rows[one]["hold_until"] is None]
            await connection.execute(_REQUESTS["hold_until"], fresh, until)
            await self._desk.move(connection, sorted(waiting), Move.HOLD, ACTOR, now, Reason.ORDER_IN_FLIGHT)
        for one in waiting:
            row = rows[one]
            values = {
                "reference": str(one)[:8], "until": self._letters.day(row["hold_until"] or until),
                "due_on": self._letters.day(row["due_at"]),
            }  # fmt: skip
            await self._letters.post(
                connection, "request_waiting", keys[row["key_subject_id"]], known[one], row["language"], values, now
            )
        return waiting

    async def _fence(
        self, connection: Connection, going: Sequence[UUID], rows: Mapping[UUID, asyncpg.Record],
        keys: Mapping[int, Subject], known: Mapping[UUID, Identities], subjects: Mapping[UUID, set[int]], epoch: int,
    ) -> None:  # fmt: skip
        meant = sorted({number for one in going for number in subjects[one]})
        await connection.execute(_QUERIES["lock_subjects"], meant)
        # Not earlier: whoever held one of them until now has applied or sent what happened until now.
        now = self._clock()
        open_ = await self._vault.hold_by_id(connection, meant)
        contacts = await self._consent.withdraw_subjects(connection, list(open_), now)
        shipments = await connection.fetch(_QUERIES["shipments_of"], meant)
        found = people.addresses_of(shipments, open_)
        for contact in contacts:
            found[contact.subject.subject_id].append(contact.email)
        orders_of = defaultdict(list)
        for row in shipments:
            orders_of[row["subject_id"]].append(row["shipment_id"])
        sealed = []
        for one in going:
            orders = [order for number in sorted(subjects[one]) for order in orders_of.get(number, ())]
            emails = [email for number in sorted(subjects[one]) for email in found.get(number, ())]
            more = known[one].with_more(_normalised(emails), orders)
            sealed.append(identities.seal(more, keys[rows[one]["key_subject_id"]], one))
        round_id = await connection.fetchval(_QUERIES["open_round"], epoch, now)
        fenced = await connection.fetch(_QUERIES["fence"], meant, now)
        # Also who is named and not known: an order of theirs that is still to be read must not bring them in.
        named = {UUID(bytes=hash_) for one in going for hash_ in identities.reference_hashes(known[one], self._vault)}
        erased = sorted(named.union(row["reference_hash"] for row in fenced))
        await connection.execute(_QUERIES["record_erased"], erased, now)
        numbers = [_array(subjects[one]) for one in going]
        await connection.execute(_QUERIES["enter_round"], list(going), numbers, sealed, round_id, now)
        await ledger.tell_erased(connection, self._settings, erased, now)

    async def _in_flight(self, connection: Connection, subject_ids: set[int]) -> set[int]:
        rows = await connection.fetch(_QUERIES["in_flight"], sorted(subject_ids))
        return {row["subject_id"] for row in rows}

    async def _remember(
        self, connection: Connection, request_ids: Sequence[UUID], subjects: Mapping[UUID, set[int]]
    ) -> None:
        named = [_array(subjects[one]) for one in request_ids]
        await connection.execute(_QUERIES["remember_subjects"], request_ids, named)


def _array(numbers: set[int]) -> str:
    return "{" + ",".join(map(str, sorted(numbers))) + "}"


def _normalised(emails: Sequence[str]) -> list[str]:
    """In the one spelling of each; an address that no mail can be sent to is left as its order had it."""
    spelled = []
    for email in emails:
        try:
            spelled.append(normalise(email))
        except Refused:
            spelled.append(email.strip())
    return spelled
