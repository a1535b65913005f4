"""The relay on real Kafka: its committed offset must outlive quiet weeks."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from tests.support import lethe
from tests.support.endpoints import Endpoints
from tests.support.waiting import wait_until
from workers.clock import monotonic_s
from workers.engine import database as database_module
from workers.engine import relay, restore_fence
from workers.engine.exit import Exit
from workers.metrics import Metrics
from workers.settings import Settings
from workers.vault import keyring
from workers.vault.subjects import SubjectVault


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path) -> Settings:
    return lethe.prepare(stack, prefix, database, tmp_path, relay_poll_s=0.05)


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    opened = await database_module.connect(settings)
    yield opened
    await opened.close()


async def test_an_idle_relay_says_again_how_far_it_is(
    settings: Settings, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_SAY_AGAIN_S", 0.2)
    vault = SubjectVault(keyring.load(settings.keyring_dir))
    idle = relay.Relay(0, pool, vault, settings, Metrics(CollectorRegistry()), Exit())
    commit, answered = idle._publisher.commit, list[float]()

    async def counted() -> None:
        await commit()
        answered.append(monotonic_s())

    monkeypatch.setattr(idle._publisher, "commit", counted)
    await idle.start()
    try:
        await asyncio.to_thread(wait_until, lambda: len(answered) > 3, 60, lambda: f"said so {len(answered)} times")
        assert list((await restore_fence.committed(settings, settings.group("relay"))).values()) == [0]
    finally:
        await idle.stop()
    assert min(later - sooner for sooner, later in pairwise(answered)) > 0.2, "not at every look"
