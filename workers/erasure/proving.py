"""The fourth step of a round: proof that our own copies are gone, beyond the rows that were deleted.

Inbound topics are trimmed past the round's end, the epoch that wrapped its keys is destroyed, and no read of the
carriers' topics finds an address of it any more. One rotation and one look serve every round that waits; both go on
beside the other steps, since a rotation wraps every survivor's key anew, and a look reads all that carriers can read.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from itertools import takewhile

import asyncpg

from workers.clock import Clock, monotonic_s
from workers.db import sql
from workers.engine import crashpoints
from workers.residence.carrier_look import CarrierLook, Withdrawn
from workers.residence.rollers import Rollers
from workers.residence.trimming import Trimmer
from workers.settings import Settings
from workers.vault import rotation
from workers.vault.rotation import Rotation

_QUERIES = sql.queries("erasure")
_COLLECT_S = 10.0
"""While more people keep coming, a rotation waits so long for others whom it can serve as well."""
_LOOK_AT_MOST = 0.25
"""The share of the time that is spent reading carriers' topics: a look that finds nothing has read all of them."""


class Proving:
    """Trims and rolls all the time, also while no round waits."""

    def __init__(
        self, pool: asyncpg.Pool, trimmer: Trimmer, rollers: Rollers, carriers: CarrierLook, settings: Settings,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._pool = pool
        self._trimmer = trimmer
        self._rollers = rollers
        self._carriers = carriers
        self._settings = settings
        self._clock = clock
        self._rotation: asyncio.Task[Rotation] | None = None
        self._rotated_for: list[int] = []
        self._rotate_from_s = 0.0
        self._look: asyncio.Task[set[int]] | None = None
        self._looked_for: set[int] = set()
        self._look_from_s = self._look_again_s = 0.0

    async def start(self) -> None:
        """Connect. Raises KafkaError."""
        await self._trimmer.start()
        await self._rollers.start()

    async def stop(self) -> None:
        """Disconnect. What goes on beside the steps ends; a rotation goes on from where it was with the next one."""
        beside = [one for one in (self._rotation, self._look) if one is not None]
        self._rotation = self._look = None
        for one in beside:
            one.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await self._rollers.stop()
        await self._trimmer.stop()

    async def ends(self) -> Mapping[str, int]:
        """Where the inbound topics end now, by partition."""
        return await self._trimmer.ends()

    async def prove(self, is_quiet: bool) -> int:
        """Take every round that was erased as far as it can be proven now; returns how many are proven.

        `is_quiet`: nobody was fenced or erased just now, so that no round comes in the next moment.
        """
        rounds = await self._pool.fetch(_QUERIES["rounds"], "erased")
        await self._trimmer.trim()
        await self._rollers.roll(await self._trimmer.own())
        if not rounds:
            return 0
        await self._shred(rounds, is_quiet)
        await self._look_at_carriers(rounds)
        for one in rounds:
            standing = await self._trimmer.standing(json.loads(one["inbound"] or "{}"))
            if all(topic.is_past for topic in standing):
                residence = json.dumps([topic._asdict() for topic in standing])
                await self._pool.execute(_QUERIES["prove"], one["round_id"], self._clock(), residence)
                crashpoints.reach("erasure.trimmed")
        proven = await self._pool.fetch(_QUERIES["proven"])
        if proven:
            crashpoints.reach("erasure.proven")
        return len(proven)

    async def _shred(self, rounds: Sequence[asyncpg.Record], is_quiet: bool) -> None:
        """Destroy the epoch of the rounds. A rotation serves those alone that were erased before it began.

        A key that is deleted meanwhile may be wrapped under the new epoch by then: that one must go as well.
        """
        waiting = [one["round_id"] for one in rounds if one["shredded_at"] is None]
        if self._rotation is not None and self._rotation.done():
            task, self._rotation = self._rotation, None
            self._rotate_from_s = monotonic_s() + _COLLECT_S
            task.result()
            crashpoints.reach("erasure.rotated")
            await self._pool.execute(_QUERIES["shredded"], self._rotated_for, self._clock())
            crashpoints.reach("erasure.shredded")
        elif waiting and self._rotation is None and (is_quiet or monotonic_s() >= self._rotate_from_s):
            self._rotated_for = waiting
            self._rotation = asyncio.create_task(rotation.rotate(self._pool, self._settings.keyring_dir, self._clock))

    async def _look_at_carriers(self, rounds: Sequence[asyncpg.Record]) -> None:
        """A round is compacted by a look that began after its erasure; rounds that withdrew nothing need none."""
        waiting = {one["round_id"]: _withdrawn(one) for one in rounds if one["compacted_at"] is None}
        compacted = {round_id for round_id, topics in waiting.items() if not topics}
        if self._look is not None and self._look.done():
            compacted |= self._looked_for - self._answer(self._look)
        elif self._look is None and monotonic_s() >= self._look_again_s and waiting.keys() > compacted:
            self._looked_for = waiting.keys() - compacted
            self._look_from_s = monotonic_s()
            self._look = asyncio.create_task(self._carriers.left(waiting))
        # What a round withdrew from carriers may be of people that a later one has in common with it.
        in_turn = list(takewhile(compacted.__contains__, waiting))
        if in_turn:
            crashpoints.reach("erasure.looked")
            await self._pool.execute(_QUERIES["compacted"], in_turn, self._clock())

    def _answer(self, look: "asyncio.Task[set[int]]") -> set[int]:
        """The rounds of which the look found something; the next one waits until something can have changed."""
        now_s, self._look = monotonic_s(), None
        pause_s = max((now_s - self._look_from_s) / _LOOK_AT_MOST, self._settings.segment_ms / 10_000)
        self._look_again_s = self._look_from_s + pause_s
        return look.result()


def _withdrawn(round_: asyncpg.Record) -> Withdrawn:
    return dict(json.loads(round_["withdrawn"] or "{}"))
