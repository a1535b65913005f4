"""`kill -9` at every step of a rotation, workers going on: survivors stay readable, the old epoch goes in the end."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fault.conftest import Upstream, labels
from tests.support import vaults
from tests.support.lethe import ROOT, in_a_loop
from tests.support.worker_process import worker_process
from workers.cli.local import environment
from workers.engine import database
from workers.settings import Settings
from workers.vault import epochs, keyring
from workers.vault.wrapped_tables import TABLES

PEOPLE = [f"person-{number}" for number in range(6000)]
POINTS = labels(
    "rotation.key_made",
    "rotation.switched",
    "rotation.before_commit",
    "rotation.rewrapped",
    "rotation.copied",
    "rotation.listed",
    "rotation.overwritten",
    "rotation.unlinked",
)


def rotate(settings: Settings, crash_at: str = "") -> int:
    variables = {**environment.for_child(settings, ROOT), "LETHE_CRASH_AT": crash_at}
    done = subprocess.run(
        [sys.executable, "-m", "workers", "keys", "rotate"], env=variables, cwd=ROOT, capture_output=True, timeout=120
    )
    return done.returncode


async def _fill(settings: Settings) -> dict[str, bytes]:
    pool = await database.connect(settings)
    try:
        ring = keyring.load(settings.keyring_dir)
        await vaults.put_mail(pool, ring)
        return await vaults.put(pool, ring, PEOPLE)
    finally:
        await pool.close()


async def _judge(settings: Settings, sealed: dict[str, bytes]) -> None:
    pool = await database.connect(settings)
    try:
        ring = keyring.load(settings.keyring_dir)
        await vaults.read(pool, ring, sealed)
        assert await vaults.read_mail(pool, ring) == vaults.MAIL
        known = await epochs.known(pool, settings.keyring_dir)
        assert known.alive == {known.current}
        assert ring.epochs == {known.current}
        for table in TABLES:
            used = await pool.fetch(f"select distinct key_epoch from {table.name} where key_epoch is not null")
            assert {row[0] for row in used} <= {known.current}
    finally:
        await pool.close()


@pytest.mark.parametrize("label", POINTS)
def test_a_rotation_killed_at(label: str, settings: Settings) -> None:
    sealed = in_a_loop(_fill(settings))
    assert rotate(settings, f"{label}:1") == -signal.SIGKILL
    in_a_loop(_readable(settings, sealed))
    assert rotate(settings) == 0
    in_a_loop(_judge(settings, sealed))


async def _readable(settings: Settings, sealed: dict[str, bytes]) -> None:
    """Right after the kill, by a worker that starts now."""
    pool = await database.connect(settings)
    try:
        ring = keyring.load(settings.keyring_dir)
        await epochs.adopt(pool, ring, settings.keyring_dir)
        await vaults.read(pool, ring, sealed)
        await vaults.put(pool, ring, ["somebody new"])
    finally:
        await pool.close()


def test_a_rotation_killed_again_and_again_gets_on(settings: Settings) -> None:
    sealed = in_a_loop(_fill(settings))
    for label in ("rotation.switched:1", "rotation.rewrapped:1", "rotation.rewrapped:2", "rotation.listed:1"):
        assert rotate(settings, label) == -signal.SIGKILL
    assert rotate(settings) == 0
    in_a_loop(_judge(settings, sealed))


def test_rotations_and_their_kills_under_running_workers(
    settings: Settings, upstream: Callable[[int, int], Upstream]
) -> None:
    sealed = in_a_loop(_fill(settings))
    orders = upstream(3000, 21)
    with worker_process(settings, ("shipping", "relay")):
        for label in POINTS:
            orders.publish(0.2)
            assert rotate(settings, f"{label}:1") == -signal.SIGKILL
        assert rotate(settings) == 0
        orders.publish()
        orders.verdict()
    assert rotate(settings) == 0
    in_a_loop(_judge(settings, sealed))
    assert_one_key_is_left(settings.keyring_dir)


def assert_one_key_is_left(folder: Path) -> None:
    assert len(list((folder / "epochs").iterdir())) == 1
