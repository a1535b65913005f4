"""The newsletter worker as a process, on real Kafka and PostgreSQL: events become the list, once, across kill -9."""

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import lethe
from tests.support.consents import event, given
from tests.support.endpoints import Endpoints
from tests.support.orders import Published
from tests.support.waiting import wait_until
from tests.support.worker_process import worker_process
from workers.cli import connections
from workers.settings import Settings

COUNTS = """
select (select count(*) from contacts) as contacts, (select count(*) from consents) as consents,
    (select count(*) from consent_events) as events, (select count(*) from suppressions) as suppressions,
    (select count(*) from tokens) as tokens, (select count(*) from mails) as mails,
    (select count(*) from consents where status = 'ConsentGiven') as valid
"""
PEOPLE = 400
LEAVING = 100


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path) -> Settings:
    return lethe.prepare(stack, prefix, database, tmp_path)


def counts(settings: Settings) -> dict[str, int]:
    async def read() -> dict[str, int]:
        async with connections.database(settings) as connection:
            row = await connection.fetchrow(COUNTS)
            assert row is not None
            return dict(row)

    return lethe.in_a_loop(read())


def log() -> list[Published]:
    """Half sign up, half bring a double opt-in; some leave again; every tenth event is published twice."""
    now = datetime.now(UTC) - timedelta(minutes=5)
    proof: dict[str, Any] = {"double_opt_in": {"confirmed_at": now.isoformat(), "evidence": {"reference": "1"}}}
    events = [
        given(f"c{n}", f"p{n}@example.com", time=now, **(proof if n % 2 else {})) for n in range(PEOPLE)
    ] + [
        event("consent.withdrawn", f"c{n}", f"p{n}@example.com", time=now + timedelta(seconds=1))
        for n in range(LEAVING)
    ]  # fmt: skip
    return [copy for number, one in enumerate(events) for copy in ([one, one] if number % 10 == 0 else [one])]


EXPECTED = {
    "contacts": PEOPLE,
    "consents": PEOPLE,
    "events": PEOPLE + LEAVING,
    "suppressions": LEAVING,
    "valid": (PEOPLE - LEAVING) // 2,
}


def test_events_published_twice_become_the_list_once(settings: Settings) -> None:
    events = log()
    with worker_process(settings, ("newsletter",)) as worker:
        for _ in range(2):
            lethe.publish(settings, events, "consents")
            wait_until(lambda: drained(settings), 60, lambda: f"{counts(settings)}\n{worker.log[-3000:]}")
            check(settings)
        applied_before = float(PEOPLE + LEAVING + 2 * (len(events) - PEOPLE - LEAVING))
        counted = f'lethe_duplicates_total{{group="{settings.group("newsletter")}"}} {applied_before}'
        assert counted in worker.get("/metrics")[1]


def check(settings: Settings) -> None:
    """Who left in the same batch as they signed up is not asked any more: how many that are is up to the batches."""
    found = counts(settings)
    mails, tokens = found.pop("mails"), found.pop("tokens")
    assert found == EXPECTED
    assert mails == tokens
    assert (PEOPLE - LEAVING) // 2 <= mails <= PEOPLE // 2


def drained(settings: Settings) -> bool:
    done = lethe.committed(settings, "consents", "newsletter")
    return all(done[number] >= end or not end for number, end in lethe.ends(settings, "consents").items())


@pytest.mark.parametrize("crash_at", ["batch.before_commit:1", "batch.after_commit:1", "batch.before_commit:2"])
def test_a_kill_loses_nothing_and_does_nothing_twice(settings: Settings, crash_at: str) -> None:
    small = settings.model_copy(update={"batch_max_records": 60})
    lethe.publish(settings, log(), "consents")
    with worker_process(small, ("newsletter",), crash_at=crash_at, ready=False) as worker:
        assert worker.wait() == -signal.SIGKILL
    with worker_process(small, ("newsletter",)) as worker:
        wait_until(lambda: drained(settings), 60, lambda: f"{counts(settings)}\n{worker.log[-3000:]}")
    check(settings)


def test_refused_events_are_parked_under_the_worker_s_own_name(settings: Settings) -> None:
    with worker_process(settings, ("newsletter",)) as worker:
        now = datetime.now(UTC)
        lethe.publish(settings, [given("c1", purpose="astrology", time=now), given("c2", time=now)], "consents")
        wait_until(lambda: counts(settings)["consents"] == 1, 30, lambda: worker.log[-3000:])
        wait_until(
            lambda: len(lethe.read_topics(settings, ["newsletter.dead-letters"])) == 1, 30, lambda: worker.log[-3000:]
        )
        assert "erika@example.com" not in worker.log
