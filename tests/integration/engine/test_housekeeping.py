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


async def test_one_group_s_dead_letters_leave_another_s_in_the_same_process(
    stack: Endpoints, prefix: str, database: str, tmp_path: Path
) -> None:
    settings = lethe.prepare(stack, prefix, database, tmp_path)
    now = datetime.now(UTC)
    metrics = Metrics(CollectorRegistry())

    def waiting(group: str, code: str) -> float | None:
        return metrics.registry.get_sample_value("lethe_dead_letters", {"group": group, "code": code})

    async with asyncpg.create_pool(database, min_size=1, max_size=1) as pool:
        for group, code in (("g1", "card_data"), ("g1", "type_unknown"), ("g2", "email_invalid")):
            await pool.execute(
                "insert into dead_letters (dead_letter_id, fingerprint, consumer_group, topic, partition, "
                "record_offset, code, reason, state, parked_at, changed_at) values (gen_random_uuid(), "
                "gen_random_uuid(), $1, 't', 0, 0, $2, 'r', 'parked', $3, $3)",
                group, code, now,
            )  # fmt: skip
        keepers = [Housekeeper(group, pool, settings, metrics, lambda: now, Exit()) for group in ("g1", "g2")]
        for keeper in keepers:
            await keeper.tidy()
        assert (waiting("g1", "card_data"), waiting("g2", "email_invalid")) == (1, 1)
        await pool.execute("update dead_letters set state = 'dropped' where code = 'card_data'")
        await keepers[0].tidy()
    assert waiting("g1", "card_data") is None
    assert (waiting("g1", "type_unknown"), waiting("g2", "email_invalid")) == (1, 1)
