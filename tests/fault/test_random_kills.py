"""`kill -9` at random moments under load, two workers at a time."""

import random
import time
from collections.abc import Callable
from contextlib import ExitStack

from tests.fault.conftest import Upstream
from tests.support.worker_process import WorkerProcess, worker_process
from workers.settings import Settings

_KILLS = 5


def test_workers_killed_at_random_moments(settings: Settings, upstream: Callable[[int, int], Upstream]) -> None:
    rng = random.Random(20261124)
    orders = upstream(6000, 21)
    with ExitStack() as running:

        def start() -> WorkerProcess:
            return running.enter_context(worker_process(settings, ready=False))

        workers = [start(), start()]
        for _ in range(_KILLS):
            orders.publish(share=0.2)
            time.sleep(rng.uniform(0.2, 3.5))
            workers.pop(rng.randrange(2)).kill()
            workers.append(start())
        orders.publish()
        orders.verdict()
