"""A worker as a child process: started again with growing pauses when it fails, left alone when a person must act."""

import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from workers.cli.failures import EXIT_MUST_ACT
from workers.cli.local import pages
from workers.errors import LetheError

_PAUSES_S = (1, 2, 4, 8, 15, 30)
_STEADY_S = 60.0
_STOP_TIMEOUT_S = 40.0
_WAIT_S = "120"
_SHOWN_LINES = 5
_LINE_CHARS = 300


class SupervisedWorker:
    """A process with the workers named. Its output goes to a log file; it never outlives this process."""

    def __init__(
        self, name: str, workers: Sequence[str], web_port: int, folder: Path, environment: Mapping[str, str]
    ) -> None:
        from deploy.local.process import Program

        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.workers = tuple(workers)
        self.web_port = web_port
        self.log = folder / f"{name}.log"
        self._environment = environment
        self._record = folder / f"{name}.json"
        self._program = Program(f"the worker {name}", self._record, self._record)
        self._crashes = 0
        self._started_s = 0.0
        self._restart_s: float | None = None
        self._given_up = False

    def start(self) -> None:
        """Returns at once; ends what a crashed earlier run left behind first."""
        self._program.end_leftover(signal.SIGTERM, _STOP_TIMEOUT_S)
        self.log.write_bytes(b"")
        self._spawn()

    def is_ready(self) -> bool:
        """Whether it has joined its group. Raises LetheError when it ended instead."""
        if self._program.pid is None:
            raise LetheError(f"the worker {self.name} ended while starting:\n{self.last_lines()}")
        try:
            return pages.get(f"http://127.0.0.1:{self.web_port}/ready", timeout_s=1)[0] == 200
        except OSError:  # nobody answers yet, or not yet with 200
            return False

    def check(self) -> str | None:
        """Start it again when its pause is over; returns what to tell a person, if anything happened."""
        if self._given_up or self._program.pid is not None:
            return None
        if self._restart_s is None:
            return self._mourn()
        if time.monotonic() < self._restart_s:
            return None
        self._spawn()
        return f"the worker {self.name} was started again"

    def stop(self) -> None:
        """It finishes what it has read, or is killed after a while: nothing is lost by that."""
        self._program.end(signal.SIGTERM, _STOP_TIMEOUT_S)

    def last_lines(self) -> str:
        """The end of its log, indented."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:]
        except OSError:
            lines = []
        return "\n".join(f"    {line[:_LINE_CHARS]}" for line in lines) or "    (no output)"

    def _spawn(self) -> None:
        # `-X lethe=…` means nothing to Python; it lets a leftover process be recognised for sure.
        mark = ("-X", f"lethe={self._record}")
        arguments = (
            "-m",
            "workers",
            "worker",
            *self.workers,
            "--web-port",
            str(self.web_port),
            "--wait",
            _WAIT_S,
        )
        self._program.spawn([sys.executable, *mark, *arguments], self.log, signal.SIGKILL, env=self._environment)
        self._started_s, self._restart_s = time.monotonic(), None

    def _mourn(self) -> str:
        code = self._program.exit_code
        if code == EXIT_MUST_ACT:
            self._given_up = True
            return (
                f"the worker {self.name} stopped and is not started again, because a person must act first:\n"
                f"{self.last_lines()}"
            )
        self._crashes = 1 if time.monotonic() - self._started_s > _STEADY_S else self._crashes + 1
        pause_s = _PAUSES_S[min(self._crashes, len(_PAUSES_S)) - 1]
        self._restart_s = time.monotonic() + pause_s
        return f"the worker {self.name} ended with {code}; it is started again in {pause_s} s:\n{self.last_lines()}"
