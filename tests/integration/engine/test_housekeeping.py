"""What is kept for a time only is forgotten in time; what a replay may need is not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from prometheus_client import CollectorRegistry

from tests.support import lethe
from tests.support.endpoints import Endpoints
from workers.engine.exit import Exit
from workers.engine.housekeeping import Housekeeper
from workers.metrics import Metrics


async def test_old_dedupe_keys_go_and_young_ones_stay(
    stack: Endpoints, prefix: str, database: str, tmp_path: Path
) -> None:
    settings = lethe.prepare(stack, prefix, database, tmp_path, dedupe_retention_days=30)
    now = datetime.now(UTC)
    async with asyncpg.create_pool(database, min_size=1, max_size=1) as pool:
        for days in (31, 29):
            await pool.execute(
                "insert into events_seen (event_key, seen_at) values (gen_random_uuid(), $1)",
                now - timedelta(days=days),
            )
        keeper = Housekeeper("g", pool, settings, Metrics(CollectorRegistry()), lambda: now, Exit())
        await keeper.tidy()
        left = [row["seen_at"] for row in await pool.fetch("select seen_at from events_seen")]
    assert left == [now - timedelta(days=29)]
