"""`kill -9` at random moments under load, two workers at a time; `make torture` does so for longer."""

import random
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.fault.conftest import Upstream
from tests.support.worker_process import WorkerProcess, worker_process
from workers.settings import Settings


def test_workers_killed_at_random_moments(settings: Settings, upstream: Callable[[int, int], Upstream]) -> None:
    _kill_at_random(settings, upstream(6000, 21), kills=5, seed=20261124)


@pytest.mark.torture
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(5))
def test_workers_killed_again_and_again(
    seed: int, settings: Settings, upstream: Callable[[int, int], Upstream]
) -> None:
    _kill_at_random(settings, upstream(40_000, 100 + seed), kills=30, seed=seed)


def _kill_at_random(settings: Settings, orders: Upstream, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    with ExitStack() as running:

        def start() -> WorkerProcess:
            return running.enter_context(worker_process(settings, ready=False))

        workers = [start(), start()]
        for _ in range(kills):
            orders.publish(share=min(0.2, 2 / kills))
            time.sleep(rng.uniform(0.2, 3.5))
            workers.pop(rng.randrange(2)).kill()
            workers.append(start())
        orders.publish()
        orders.verdict()
