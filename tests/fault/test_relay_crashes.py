"""The relay and the replay of dead letters under `kill -9`: each letter is applied once, its notices appear once."""

import asyncio
import signal
from collections.abc import Callable
from datetime import UTC, datetime

import asyncpg
import pytest

from tests.fault.conftest import labels
from tests.support import lethe
from tests.support.traffic import traffic
from tests.support.waiting import wait_until
from tests.support.worker_process import worker_process
from workers.db import sql
from workers.settings import Settings

_LETTERS = sql.queries("dead_letters")


@pytest.fixture
def parked(settings: Settings) -> Callable[[], int]:
    """Parks every order of one carrier, by leaving its file out of the configuration; returns how many."""

    def park() -> int:
        known = settings.carriers_dir
        fewer = settings.keyring_dir.parent / "carriers"
        fewer.mkdir()
        for file in known.glob("*.yaml"):
            if file.stem != "gls":
                (fewer / file.name).write_bytes(file.read_bytes())
        events = [
            event
            for event in traffic(settings, 400, 51, bad=False)
            if event.type == "order.placed" and b'"wait_for_ready":true' not in (event.value or b"")
        ]
        lethe.publish(settings, events)
        with worker_process(settings.model_copy(update={"carriers_dir": fewer})):
            lethe.wait_drained(settings)
        return len({e.value for e in events if e.value and b'"carrier":"gls"' in e.value})

    return park


@pytest.mark.parametrize(
    "label", labels("relay.before_kafka_commit", "relay.after_kafka_commit", "replay.before_commit")
)
def test_a_replay_is_applied_once_when_a_worker_is_killed_at(
    label: str, settings: Settings, parked: Callable[[], int]
) -> None:
    count = parked()
    assert count > 10
    assert _count(settings, "parked") == count
    _request_replay(settings)
    with worker_process(settings, ("shipping", "relay"), crash_at=f"{label}:2", ready=False) as doomed:
        assert doomed.wait() == -signal.SIGKILL, doomed.log[-2000:]
    with worker_process(settings, ("shipping", "relay")):
        wait_until(lambda: _count(settings, "replayed") == count, 120, "all letters replayed")
        wait_until(lambda: len(lethe.read_carriers(settings, ["gls"])) >= count, 120, "all notices published")
        notices = lethe.read_carriers(settings, ["gls"])
    assert len(notices) == len({notice.shipment_id for notice in notices}) == count


def _request_replay(settings: Settings) -> None:
    async def request() -> None:
        connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
        try:
            rows = await connection.fetch(_LETTERS["list"], None, "parked", None, 10_000)
            ids = [row["dead_letter_id"] for row in rows]
            await connection.fetch(_LETTERS["request_replay"], ids, datetime.now(UTC))
        finally:
            await connection.close()

    asyncio.run(request())


def _count(settings: Settings, state: str) -> int:
    async def count() -> int:
        connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
        try:
            return len(await connection.fetch(_LETTERS["list"], None, state, None, 10_000))
        finally:
            await connection.close()

    return asyncio.run(count())
