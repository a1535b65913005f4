"""A real worker as a child process, with its log in a file and its web pages on a free port."""

import os
import signal
import subprocess
import sys
import urllib.error
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.local import ports
from tests.support.lethe import ROOT
from tests.support.waiting import wait_until
from workers.cli.local import environment, pages
from workers.settings import Settings

_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 120.0


class WorkerProcess:
    """One started worker. `crash_at` arms a crash point: `<label>:<n>`."""

    def __init__(self, settings: Settings, names: Sequence[str], log: Path, crash_at: str = "") -> None:
        self.log_file = log
        self.web_port = ports.choose(1)[0]
        variables = environment.for_child(settings, ROOT)
        if crash_at:
            variables["LETHE_CRASH_AT"] = crash_at
        command = [sys.executable, "-m", "workers", "worker", *names, "--web-port", str(self.web_port)]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=variables, cwd=ROOT
            )

    @property
    def pid(self) -> int:
        """Its process id, also after its end."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; -9 after SIGKILL."""
        return self._process.poll()

    @property
    def log(self) -> str:
        """Everything that it wrote, and that earlier ones wrote to the same file."""
        return self.log_file.read_text(errors="replace")

    def get(self, page: str) -> tuple[int, str]:
        """Status and body of one of its pages; status 0 when it does not answer."""
        try:
            return pages.get(f"http://127.0.0.1:{self.web_port}{page}", timeout_s=5)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def wait_ready(self, timeout_s: float = _START_TIMEOUT_S) -> None:
        """Return once it has joined its group and opened its lanes. Raises AssertionError when it ends instead."""

        def is_ready() -> bool:
            assert self.exit_code is None, f"the worker ended with {self.exit_code}:\n{self.log[-3000:]}"
            return self.get("/ready")[0] == 200

        wait_until(is_ready, timeout_s, lambda: f"ready\n{self.log[-3000:]}")

    def wait(self, timeout_s: float = _START_TIMEOUT_S) -> int:
        """Its exit code, once it has ended by itself. Raises subprocess.TimeoutExpired."""
        return self._process.wait(timeout_s)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, such as SIGSTOP and SIGCONT."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """`kill -9`; returns when it is gone."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; returns its exit code when it is gone, and kills it when it does not go."""
        self._process.terminate()
        try:
            return self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


@contextmanager
def worker_process(
    settings: Settings,
    names: Sequence[str] = ("shipping",),
    log: Path | None = None,
    crash_at: str = "",
    ready: bool = True,
) -> Iterator[WorkerProcess]:
    """Start a worker, wait until it is ready (unless told not to); it is gone afterwards, whatever happened.

    `log` defaults to a file beside the keyring; processes that share it append to it.
    """
    worker = WorkerProcess(settings, names, log or settings.keyring_dir.parent / "worker.log", crash_at)
    try:
        if ready:
            worker.wait_ready()
        yield worker
        if worker.exit_code is None:
            worker.stop()
    finally:
        if worker.exit_code is None:
            worker.kill()
