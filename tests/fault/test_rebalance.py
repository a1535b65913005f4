"""Workers join and leave under load, politely and not; one is only paused, and comes back as a zombie."""

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack

from tests.fault.conftest import Upstream
from tests.support.worker_process import worker_process
from workers.settings import Settings


def test_two_and_three_workers_join_and_leave(settings: Settings, upstream: Callable[[int, int], Upstream]) -> None:
    orders = upstream(6000, 31)
    with ExitStack() as running:
        orders.publish(share=0.25)
        first = running.enter_context(worker_process(settings))
        second = running.enter_context(worker_process(settings, ready=False))
        orders.publish(share=0.3)
        third = running.enter_context(worker_process(settings, ready=False))
        orders.publish(share=0.3)
        third.wait_ready()
        assert first.stop() == 0
        orders.publish(share=0.5)
        second.kill()
        orders.publish()
        orders.verdict()


def test_a_paused_worker_comes_back_as_a_zombie(settings: Settings, upstream: Callable[[int, int], Upstream]) -> None:
    orders = upstream(5000, 32)
    orders.publish(share=0.6)
    with worker_process(settings, log=settings.keyring_dir.parent / "zombie.log") as zombie:
        time.sleep(0.5)
        zombie.signal(signal.SIGSTOP)
        with worker_process(settings, ready=False) as successor:
            orders.publish(share=0.5)
            successor.wait_ready()
            time.sleep(settings.session_timeout_s + 1)
            zombie.signal(signal.SIGCONT)
            orders.publish()
            orders.verdict()
