"""One child program: it never outlives us, a leftover is found by its record, and it ends for sure."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import NamedTuple

import psutil

from deploy.local import birth
from deploy.local.failure import NotStarted

_CHILD = Path(__file__).with_name("child.py")


class Account(NamedTuple):
    """The operating system user that a program runs as."""

    uid: int
    gid: int


@cache
def _spawner() -> queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]]:
    """A thread that lives as long as this process: Linux ties a child to the thread that started it."""
    jobs: queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]]
    jobs = queue.SimpleQueue()

    def work() -> None:
        while True:
            start, done = jobs.get()
            try:
                done.set_result(start())
            except OSError as error:
                done.set_exception(error)

    threading.Thread(target=work, name="lethe-spawner", daemon=True).start()
    return jobs


class Program:
    """A long-running child program and its record (`pid` and when it began) on disk.

    `marker` is a path that stands in the program's command line: a recorded process is only signalled when
    its beginning and its command line both fit, so a reused pid is safe.
    """

    def __init__(self, name: str, record: Path, marker: Path) -> None:
        self.name = name
        self._record = record
        self._marker = str(marker)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def exit_code(self) -> int | None:
        """How it ended by itself; negative is a signal's number. None while it runs or was never started."""
        return None if self._process is None else self._process.poll()

    def spawn(
        self,
        command: Sequence[str],
        log: Path,
        death_signal: signal.Signals,
        env: Mapping[str, str] | None = None,
        account: Account | None = None,
    ) -> None:
        """Starts it in a session of its own (Ctrl-C does not reach it), its output appended to `log`."""
        who = "-" if account is None else f"{account.uid}:{account.gid}"
        wrapper = [sys.executable, "-I", "-S", str(_CHILD), str(os.getpid()), str(int(death_signal)), who]

        def start() -> subprocess.Popen[bytes]:
            with log.open("ab") as output:
                return subprocess.Popen(
                    [*wrapper, *command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    cwd=log.parent,
                    env=env,
                )

        done: Future[subprocess.Popen[bytes]] = Future()
        _spawner().put((start, done))
        self._process = done.result()
        pid = self._process.pid
        self._record.write_text(json.dumps({"pid": pid, **birth.of(pid)}))

    def wait_ready(self, answers: Callable[[], bool], timeout_s: float, last_words: Callable[[], str]) -> None:
        """Returns once `answers()` is true. Raises NotStarted, with `last_words()`, when it is not."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self.pid is None:
                raise NotStarted(f"{self.name} ended while starting ({self._ending()}): {last_words()}")
            if answers():
                return
            time.sleep(0.03)
        raise NotStarted(f"{self.name} did not answer within {timeout_s:.0f} s: {last_words()}")

    def _ending(self) -> str:
        code = self.exit_code or 0
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def end(self, stop_signal: signal.Signals, timeout_s: float) -> None:
        """Asks it to end, waits, and kills it when it does not. Nothing happens when it is not running."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(stop_signal)
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                _kill_tree(psutil.Process(self._process.pid))
        self._process.wait()
        self._forget()

    def kill(self) -> None:
        """SIGKILL to it and to all its children, as if the machine lost power."""
        if self._process is not None:
            if self._process.poll() is None:
                _kill_tree(psutil.Process(self._process.pid))
            self._process.wait()
        self._forget()

    def end_leftover(self, stop_signal: signal.Signals, timeout_s: float) -> None:
        """Ends what an earlier, crashed run of ours left running in the same directory, if anything."""
        process = self._leftover()
        if process is not None:
            try:
                process.send_signal(stop_signal)
                process.wait(timeout_s)
            except psutil.TimeoutExpired:
                _kill_tree(process)
            except psutil.NoSuchProcess:
                pass  # it ended by itself meanwhile
        self._forget()

    def _leftover(self) -> psutil.Process | None:
        try:
            recorded = json.loads(self._record.read_text())
            process = psutil.Process(int(recorded["pid"]))
            ours = birth.fits(process.pid, recorded) and any(self._marker in part for part in process.cmdline())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, psutil.NoSuchProcess, psutil.AccessDenied):
            return None  # no record, a torn one, or a process that is gone or another user's
        return process if ours else None

    def _forget(self) -> None:
        self._process = None
        self._record.unlink(missing_ok=True)


def _kill_tree(process: psutil.Process) -> None:
    """Stops the parent first so that it cannot start or mourn children, then kills all of them."""
    try:
        process.suspend()
        family = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not all(map(_is_dead, family)):
        time.sleep(0.01)


def _is_dead(process: psutil.Process) -> bool:
    """Gone, or only waiting to be collected by its parent: either way it holds no file, port or memory."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
