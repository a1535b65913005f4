"""A mailer that hangs in the middle of a handful holds up a pause no longer than the database lets it, and begins no
mail when it goes on."""

import asyncio
import signal
import time
from pathlib import Path

import asyncpg
import pytest

from tests.support import issues, lethe
from tests.support.endpoints import Endpoints
from tests.support.fast_sink import fast_sink
from tests.support.waiting import wait_until
from tests.support.worker_process import WorkerProcess, worker_process
from workers import clock
from workers.issues import book
from workers.settings import Settings

COUNT = 4_000
_SESSION_TIMEOUT_S = 2.0
_PATIENCE_S = 60.0


async def _holds_the_issue(settings: Settings) -> bool:
    """Whether a sender is about to begin mails: it holds the issue's lock, shared."""
    async with issues.database(settings) as connection:
        held: bool = await connection.fetchval(
            "select exists (select from pg_locks join pg_database on pg_database.oid = pg_locks.database "
            "where locktype = 'advisory' and mode = 'ShareLock' and granted and datname = current_database())"
        )
    return held


def _stop_in_the_middle(settings: Settings, mailer: WorkerProcess) -> None:
    """SIGSTOP while it holds the lock."""

    def is_caught() -> bool:
        mailer.signal(signal.SIGSTOP)
        if asyncio.run(_holds_the_issue(settings)):
            return True
        mailer.signal(signal.SIGCONT)
        time.sleep(0.01)
        return False

    wait_until(is_caught, _PATIENCE_S, "a moment in which it holds the lock", poll_s=0)


async def _pause(settings: Settings) -> float:
    """Returns when it was committed, in `time.time()`."""
    async with issues.database(settings) as connection, issues.database(settings) as onlooker:
        pausing = asyncio.create_task(
            book.change_state(connection, issues.NAME, "paused", clock.system_clock())
        )  # fmt: skip
        done, _ = await asyncio.wait({pausing}, timeout=_PATIENCE_S)
        sessions = await onlooker.fetch(
            "select state, wait_event, now() - state_change as since, left(query, 60) as query, pg_blocking_pids(pid) "
            "from pg_stat_activity where datname = current_database()"
        )
        pausing.cancel()
        assert done, f"it waits still: {sessions}"
    return time.time()


@pytest.mark.timeout(300)
def test_a_mailer_that_hangs_is_waited_for_as_long_as_its_session_lasts(
    stack: Endpoints, prefix: str, database: str, tmp_path: Path
) -> None:
    with fast_sink() as sink:
        settings = lethe.prepare(
            stack, prefix, database, tmp_path, smtp_port=sink.port, mails_per_s=100_000, mails_per_s_per_domain=100_000,
            dkim_dir=tmp_path / "none", session_timeout_s=_SESSION_TIMEOUT_S,
        )  # fmt: skip
        issues.begin(settings, COUNT)
        with worker_process(settings, ["mailer"]) as mailer:
            wait_until(lambda: len(sink.recipients()) > COUNT // 20, _PATIENCE_S, "some arrive", poll_s=0.01)
            _stop_in_the_middle(settings, mailer)
            paused_at = asyncio.run(_pause(settings))
            assert mailer.exit_code is None, "it hangs still, and the issue is paused all the same"
            mailer.signal(signal.SIGCONT)
            wait_until(lambda: not _in_hand(settings), _PATIENCE_S, lambda: str(issues.standing(settings)), poll_s=0.2)
            assert issues.standing(settings).state == "paused"
        late = [one for one in sink.arrivals() if one.began > paused_at]
        found = issues.standing(settings).progress
    assert late == []
    assert found["intent"] > 0, "it was caught in the middle"
    assert found["sent"] + found["intent"] + found.get("unknown", 0) == COUNT


def _in_hand(settings: Settings) -> int:
    async def count() -> int:
        async with issues.database(settings) as connection:
            found: int = await connection.fetchval(
                "select count(*) from mails where state in ('claimed', 'unknown') and claimed_by is not null"
            )
        return found

    return asyncio.run(count())


async def test_no_session_of_a_worker_may_idle_longer_than_that(database: str) -> None:
    from workers.engine import database as pools

    settings = Settings.model_validate({"database_dsn": database})
    pool: asyncpg.Pool = await pools.connect(settings)
    try:
        idle_s = await pool.fetchval(
            "select setting::int / 1000 from pg_settings where name = 'idle_in_transaction_session_timeout'"
        )
    finally:
        await pool.close()
    assert idle_s == settings.session_timeout_s
    assert idle_s <= 10, "by default"
