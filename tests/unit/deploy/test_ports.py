"""Ports that are chosen: free, kept, and never chosen twice at once."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import ports
from deploy.local.failure import StackError

ROOT = Path(__file__).parents[3]
# A second process that chooses half of the same few ports, says so, and keeps them until its input ends.
OTHER = """
import sys
from deploy.local import ports
ports._CHOICE = range(int(sys.argv[1]), int(sys.argv[1]) + 10)
print(*ports.choose(5), flush=True)
sys.stdin.read()
"""


def ten_free_ports() -> range:
    """Outside of those that other tests choose from."""
    firsts = random.sample(range(12_000, 18_000, 10), 600)
    return next(ten for first in firsts if all(map(ports.is_free, ten := range(first, first + 10))))


def test_each_is_different_and_free() -> None:
    chosen = ports.choose(20)
    assert len(set(chosen)) == 20
    assert all(map(ports.is_free, chosen))


def test_none_is_chosen_twice() -> None:
    earlier = set(ports.choose(50))
    assert earlier.isdisjoint(ports.choose(50))


def test_the_ports_behind_are_kept_too() -> None:
    firsts = ports.choose(30, run=2)
    kept = {port for first in firsts for port in (first, first + 1)}
    assert len(kept) == 60
    assert kept.isdisjoint(ports.choose(200))


def test_what_another_process_has_chosen_is_not_chosen_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    few = ten_free_ports()
    monkeypatch.setattr(ports, "_CHOICE", few)
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, str(few.start)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        theirs = {int(port) for port in other.stdout.readline().split()}
        assert len(theirs) == 5
        assert theirs.isdisjoint(ports.choose(2))
        with pytest.raises(StackError, match="no 4 free ports"):
            ports.choose(4)
        other.stdin.close()
    assert set(ports.choose(5)) == theirs
