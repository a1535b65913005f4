"""Fixtures of the fault tests: a prepared Lethe with short time-outs, and a run that ends in a verdict."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support import lethe, verdict
from tests.support.endpoints import Endpoints
from tests.support.traffic import traffic
from workers import carriers as carrier_files
from workers.cli.samples.events import SampleEvent
from workers.settings import Settings

QUICK = {
    "session_timeout_s": 2.0,
    "rebalance_timeout_s": 10.0,
    "transaction_timeout_s": 10.0,
    "retry_initial_s": 0.05,
    "retry_max_s": 1.0,
    "batch_max_records": 100,
    "orders_partitions": 4,
    "carrier_partitions": 2,
}


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path) -> Settings:
    """A fresh Lethe on the shared stack; small batches, so that a fault meets many of them."""
    return lethe.prepare(stack, prefix, database, tmp_path, **QUICK)


class Upstream:
    """Publishes in portions and remembers what it published."""

    def __init__(self, settings: Settings, orders: int, seed: int) -> None:
        self._settings = settings
        self._left = traffic(settings, orders, seed)
        self._published: list[SampleEvent] = []

    def publish(self, share: float = 1.0) -> int:
        """Publish the next part, `share` of what is left."""
        count = max(1, round(len(self._left) * share))
        portion, self._left = self._left[:count], self._left[count:]
        self._published += portion
        return lethe.publish(self._settings, portion)

    def verdict(self, timeout_s: float = 240.0) -> None:
        """Wait until all was applied and published, then judge what carriers and operators can read."""
        lethe.wait_drained(self._settings, timeout_s)
        expected = verdict.expect(self._published, carrier_files.load(self._settings.carriers_dir))
        verdict.judge(expected, lethe.read_carriers(self._settings))
        letters = lethe.read_dead_letters(self._settings)
        ids = [letter.key for letter in letters]
        assert len(set(ids)) == len(ids), "a dead letter was announced twice"
        assert len(ids) == expected.refusals, f"{len(ids)} dead letters for {expected.refusals} refused events"


@pytest.fixture
def upstream(settings: Settings) -> Callable[[int, int], Upstream]:
    """Makes upstreams: `upstream(orders, seed)`."""
    return lambda orders, seed: Upstream(settings, orders, seed)


def labels(*names: str) -> Sequence[str]:
    """Crash points, checked against the code so that a renamed one cannot silently never be reached."""
    from typing import get_args

    from workers.engine import crashpoints

    assert set(names) <= set(get_args(crashpoints.Label))
    return names
