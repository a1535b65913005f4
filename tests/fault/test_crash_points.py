"""`kill -9` at labelled points of the way: the next worker finishes what the dead one began, and nothing twice."""

import signal
from collections.abc import Callable

import pytest

from tests.fault.conftest import Upstream, labels
from tests.support.worker_process import worker_process
from workers.settings import Settings

_POINTS = labels(
    "batch.before_commit",
    "batch.after_commit",
    "lane.before_publish",
    "lane.before_kafka_commit",
    "lane.after_kafka_commit",
    "parking.before_commit",
)


@pytest.mark.parametrize("label", _POINTS)
def test_a_worker_killed_at(label: str, settings: Settings, upstream: Callable[[int, int], Upstream]) -> None:
    orders = upstream(1500, 11)
    orders.publish()
    with worker_process(settings, crash_at=f"{label}:3", ready=False) as doomed:
        assert doomed.wait() == -signal.SIGKILL, doomed.log[-2000:]
    with worker_process(settings):
        orders.verdict()


def test_a_worker_killed_again_while_it_recovers(settings: Settings, upstream: Callable[[int, int], Upstream]) -> None:
    orders = upstream(1500, 12)
    orders.publish()
    with worker_process(settings, crash_at="lane.before_publish:2", ready=False) as first:
        assert first.wait() == -signal.SIGKILL
    for label in ("lane.before_recovery:1", "lane.before_recovery:3"):
        with worker_process(settings, crash_at=label, ready=False) as second:
            assert second.wait() == -signal.SIGKILL
    with worker_process(settings):
        orders.verdict()
