"""`kill -9` at every step of an erasure, just before and just after each commit: what was begun is finished, once.

One erasure is killed at each point of its way in turn: what the next process meets is what the one before left.
"""

import itertools
import random
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

import pytest

from tests.fault.conftest import labels
from tests.support import aftermath, planted
from tests.support.aftermath import Carrier
from tests.support.endpoints import Endpoints
from tests.support.erasure import rows
from tests.support.planted import ERASED, ask, populate, wait_for
from tests.support.waiting import wait_until
from tests.support.worker_process import worker_process
from workers.settings import Settings

BESIDE = ("shipping", "newsletter")
ALL = (*BESIDE, "relay", "stores", "mailer", "requests")
QUICK = {
    "session_timeout_s": 2.0,
    "rebalance_timeout_s": 10.0,
    "transaction_timeout_s": 10.0,
    "retry_initial_s": 0.05,
    "retry_max_s": 1.0,
    "store_lease_s": 1.0,
    "mail_claim_s": 1.0,
    "mail_retry_initial_s": 0.1,
}

TAKEN_IN = labels("batch.before_commit", "batch.after_commit", "erasure.before_fence_commit", "erasure.fenced")
ERASING = labels(
    "erasure.before_release_commit",
    "erasure.released",
    "erasure.before_fence_commit",
    "erasure.fenced",
    "erasure.graced",
    "erasure.before_erase_commit",
    "erasure.erased",
    "erasure.before_ask_commit",
    "erasure.asked",
)
PROVING = labels(
    "rotation.unlinked",
    "erasure.rotated",
    "erasure.shredded",
    "erasure.trimmed",
    "erasure.looked",
    "erasure.proven",
)
ANSWERED = labels(
    "batch.before_commit",
    "batch.after_commit",
    "erasure.before_ask_commit",
    "erasure.asked",
    "batch.before_commit",
    "erasure.before_certificate_commit",
    "erasure.certified",
)
FORGETTING = labels("erasure.before_forget_commit", "erasure.forgotten")
TOLD = labels("relay.before_kafka_commit", "relay.after_kafka_commit")
AT_THE_STORE = labels(
    "batch.before_commit",
    "batch.after_commit",
    "stores.claimed",
    "stores.done",
    "stores.before_receipt",
    "stores.answered",
    "stores.done",
)
MAILING = labels("mail.claimed", "mail.unknown", "mail.released", "mail.answered")


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path) -> Settings:
    return planted.prepare(stack, prefix, database, tmp_path, **QUICK)


@pytest.fixture
def reader(settings: Settings) -> Iterator[Carrier]:
    with aftermath.carrier(settings) as reading:
        yield reading


def kill_at(settings: Settings, names: Sequence[str], points: Sequence[str], log: Path) -> None:
    """Start the workers again and again, each time to be killed at the next point."""
    for label in points:
        with worker_process(settings, names, log, f"{label}:1", ready=False) as doomed:
            assert doomed.wait(60) == -signal.SIGKILL, f"{label}: {doomed.log[-2000:]}"


def test_the_worker_requests_killed_from_the_request_to_the_tasks(
    settings: Settings, tmp_path: Path, reader: Carrier
) -> None:
    settings = settings.model_copy(update={"orders_in_flight": "wait"})
    log = tmp_path / "killed.log"
    with worker_process(settings, (*BESIDE, "relay")):
        populate(settings, tmp_path)
        numbers = ask(settings, range(ERASED))
        kill_at(settings, ("requests",), TAKEN_IN, log)
        with worker_process(settings, ("requests",), log):
            wait_for(settings, numbers, "on_hold")
        rows(settings, "update requests set hold_until = now() returning 1")
        kill_at(settings, ("requests",), ERASING, log)
        with worker_process(settings, ("stores", "mailer", "requests"), log):
            aftermath.judge(settings, tmp_path, numbers, range(ERASED), reader, held=True)


def test_the_worker_requests_killed_from_the_proof_to_the_end(
    settings: Settings, tmp_path: Path, reader: Carrier
) -> None:
    log = tmp_path / "killed.log"
    with worker_process(settings, (*BESIDE, "relay")):
        populate(settings, tmp_path)
        numbers = ask(settings, range(ERASED))
        kill_at(settings, ("requests",), PROVING, log)
        with worker_process(settings, ("stores",)):
            kill_at(settings, ("requests",), ANSWERED, log)
            with worker_process(settings, ("mailer",)):
                kill_at(settings, ("requests",), FORGETTING, log)
                with worker_process(settings, ("requests",), log):
                    aftermath.judge(settings, tmp_path, numbers, range(ERASED), reader)


def test_relay_stores_and_mailer_killed_at_each_of_their_steps(
    settings: Settings, tmp_path: Path, reader: Carrier
) -> None:
    log = tmp_path / "killed.log"
    with worker_process(settings, (*BESIDE, "requests")):
        populate(settings, tmp_path)
        numbers = ask(settings, range(ERASED))
        kill_at(settings, ("relay",), TOLD, log)
        with worker_process(settings, ("relay",)):
            kill_at(settings, ("stores",), AT_THE_STORE, log)
            with worker_process(settings, ("stores",)):
                kill_at(settings, ("mailer",), MAILING, log)
                with worker_process(settings, ("mailer",), log):
                    aftermath.judge(settings, tmp_path, numbers, range(ERASED), reader)


REACHED = [one for one in dict.fromkeys((*TAKEN_IN, *ERASING, *TOLD, *AT_THE_STORE, *PROVING, *ANSWERED, *FORGETTING,
                                         *MAILING)) if "release" not in one]  # fmt: skip
"""Where no order is waited for."""


@pytest.mark.torture
@pytest.mark.parametrize(("first", "second"), list(itertools.combinations_with_replacement(REACHED, 2)))
def test_killed_at_one_point_and_again_at_a_later_one(
    settings: Settings, tmp_path: Path, reader: Carrier, first: str, second: str
) -> None:
    numbers = _ask(settings, tmp_path)
    log = tmp_path / "killed.log"
    for label in (first, second):
        with worker_process(settings, ALL, log, f"{label}:1", ready=False) as doomed:
            wait_until(lambda: doomed.exit_code is not None or _has_ended(settings), 120, doomed.log[-2000:])
            assert doomed.exit_code in (-signal.SIGKILL, None), doomed.log[-2000:]
    with worker_process(settings, ALL, log):
        aftermath.judge(settings, tmp_path, numbers, range(ERASED), reader)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(20))
def test_killed_at_random_moments(settings: Settings, tmp_path: Path, reader: Carrier, seed: int) -> None:
    rng = random.Random(seed)
    numbers = _ask(settings, tmp_path)
    for _ in range(8):
        with worker_process(settings, ALL, ready=False) as doomed:
            time.sleep(rng.uniform(1.0, 6.0))
            doomed.kill()
    with worker_process(settings, ALL):
        aftermath.judge(settings, tmp_path, numbers, range(ERASED), reader)


def _ask(settings: Settings, folder: Path) -> list[UUID]:
    """People are known, and some have asked; nobody has begun with it."""
    with worker_process(settings, (*BESIDE, "relay")):
        populate(settings, folder)
    return ask(settings, range(ERASED))


def _has_ended(settings: Settings) -> bool:
    """Then a point that another process had passed is reached no more."""
    left = rows(settings, "select count(*) filter (where step <> 'told') as left, count(*) as n from requests")[0]
    return (left["n"], left["left"]) == (ERASED, 0)
