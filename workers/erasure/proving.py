"""The fourth step of a round: proof that our own copies are gone, beyond the rows that were deleted.

Inbound topics are trimmed past the round's end, the epoch that wrapped its keys is destroyed, and no read of the
carriers' topics finds an address of it any more. One rotation and one look serve every round that waits.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence

import asyncpg

from workers.clock import Clock, monotonic_s
from workers.db import sql
from workers.residence.carrier_look import CarrierLook, Withdrawn
from workers.residence.rollers import Rollers
from workers.residence.trimming import Trimmer
from workers.settings import Settings
from workers.vault import rotation

_QUERIES = sql.queries("erasure")
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
        self._look: asyncio.Task[set[int]] | None = None
        self._looked_for: set[int] = set()
        self._look_from_s = self._look_again_s = 0.0

    async def start(self) -> None:
        """Connect. Raises KafkaError."""
        await self._trimmer.start()
        await self._rollers.start()

    async def stop(self) -> None:
        """Disconnect; a look that is under way is forgotten."""
        if self._look is not None:
            await asyncio.gather(self._look, return_exceptions=True)
            self._look = None
        await self._rollers.stop()
        await self._trimmer.stop()

    async def ends(self) -> Mapping[str, int]:
        """Where the inbound topics end now, by partition."""
        return await self._trimmer.ends()

    async def prove(self) -> int:
        """Take every round that was erased as far as it can be proven now; returns how many are proven."""
        rounds = await self._pool.fetch(_QUERIES["rounds"], "erased")
        await self._trimmer.trim()
        await self._rollers.roll(await self._trimmer.own())
        if not rounds:
            return 0
        if any(one["shredded_at"] is None for one in rounds):
            rotated = await rotation.rotate(self._pool, self._settings.keyring_dir, self._clock)
            await self._pool.execute(_QUERIES["shredded"], rotated.retired_epoch, self._clock())
        await self._look_at_carriers(rounds)
        for one in rounds:
            standing = await self._trimmer.standing(json.loads(one["inbound"] or "{}"))
            if all(topic.is_past for topic in standing):
                residence = json.dumps([topic._asdict() for topic in standing])
                await self._pool.execute(_QUERIES["prove"], one["round_id"], self._clock(), residence)
        return len(await self._pool.fetch(_QUERIES["proven"]))

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
        if compacted:
            await self._pool.execute(_QUERIES["compacted"], sorted(compacted), self._clock())

    def _answer(self, look: "asyncio.Task[set[int]]") -> set[int]:
        """The rounds of which the look found something; the next one waits until something can have changed."""
        now_s, self._look = monotonic_s(), None
        pause_s = max((now_s - self._look_from_s) / _LOOK_AT_MOST, self._settings.segment_ms / 10_000)
        self._look_again_s = self._look_from_s + pause_s
        return look.result()


def _withdrawn(round_: asyncpg.Record) -> Withdrawn:
    return dict(json.loads(round_["withdrawn"] or "{}"))
