"""Which rounds a rotation makes unreadable: those that were erased before it began, and no later one."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from tests.support import lethe
from tests.support.endpoints import Endpoints
from workers.db import sql
from workers.engine import database as database_module
from workers.erasure.proving import Proving
from workers.residence.carrier_look import CarrierLook
from workers.residence.rollers import Rollers
from workers.residence.trimming import Trimmer
from workers.settings import Settings
from workers.wiring.requests import inbound

ROUNDS = sql.queries("erasure")["rounds"]


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path) -> Settings:
    return lethe.prepare(stack, prefix, database, tmp_path)


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    opened = await database_module.connect(settings, max_size=6)
    yield opened
    await opened.close()


async def test_a_round_that_was_erased_while_a_rotation_went_on_waits_for_the_next(
    settings: Settings, pool: asyncpg.Pool
) -> None:
    """A key that is deleted meanwhile may be under the new epoch already, which this rotation leaves alone."""

    def clock() -> datetime:
        return datetime.now(UTC)

    proving = Proving(
        pool, Trimmer(inbound(settings), pool, settings), Rollers([], settings), CarrierLook(settings), settings, clock
    )

    async def erased(epoch: int) -> None:
        row = "insert into erasure_rounds (key_epoch, fenced_at, state) values ($1, now(), 'erased')"
        await pool.execute(row, epoch)

    async def shredded() -> list[bool]:
        rows = await pool.fetch("select shredded_at is not null as gone from erasure_rounds order by round_id")
        return [row["gone"] for row in rows]

    async def rotate() -> None:
        """Finish the rotation that was begun, and write down whom it serves."""
        assert proving._rotation is not None
        await proving._rotation
        await proving._shred(await pool.fetch(ROUNDS, "erased"), True)

    await erased(1)
    await proving._shred(await pool.fetch(ROUNDS, "erased"), True)
    await erased(1)  # by the database this is the epoch that the rotation destroys
    await rotate()
    assert await shredded() == [True, False]
    await proving._shred(await pool.fetch(ROUNDS, "erased"), True)
    await rotate()
    assert await shredded() == [True, True]
