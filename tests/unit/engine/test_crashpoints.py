"""A crash point ends the process at its turn, and does nothing where none is armed."""

import os
import signal
import subprocess
import sys

import pytest

from tests.support.lethe import ROOT
from workers.engine import crashpoints

REACH = """
from workers.engine import crashpoints
for number in range(5):
    crashpoints.reach("lane.before_publish")
    crashpoints.reach("batch.before_commit")
    print(number, flush=True)
"""


def run(armed: str | None) -> tuple[int, list[str]]:
    environment = {} if armed is None else {"LETHE_CRASH_AT": armed}
    done = subprocess.run([sys.executable, "-c", REACH], cwd=ROOT, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout.split()


@pytest.mark.parametrize(
    ("armed", "printed"),
    [
        ("batch.before_commit:1", 0),
        ("batch.before_commit", 0),
        ("batch.before_commit:3", 2),
        ("lane.before_publish:5", 4),
    ],
)
def test_it_strikes_like_kill_9_at_its_turn(armed: str, printed: int) -> None:
    assert run(armed) == (-signal.SIGKILL, [str(number) for number in range(printed)])


@pytest.mark.parametrize("armed", [None, "", "relay.after_kafka_commit:1", "batch.before_commit:6"])
def test_otherwise_nothing_happens(armed: str | None) -> None:
    assert run(armed) == (0, list("01234"))


def test_it_pauses_where_that_is_asked_for_and_goes_on_when_told() -> None:
    environment = {"LETHE_CRASH_AT": "lane.before_publish:2:pause"}
    with subprocess.Popen([sys.executable, "-c", REACH], cwd=ROOT, env=environment, stdout=subprocess.PIPE) as paused:
        _, status = os.waitpid(paused.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert paused.stdout is not None
        assert os.read(paused.stdout.fileno(), 100) == b"0\n"
        paused.send_signal(signal.SIGCONT)
        assert paused.stdout.read().split() == b"1 2 3 4".split()
    assert paused.returncode == 0


def test_nothing_is_armed_here() -> None:
    crashpoints.reach("batch.after_commit")
