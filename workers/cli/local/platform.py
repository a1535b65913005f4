"""All of Lethe on this machine as one thing to start and stop: servers, migrations, topics and workers."""

import asyncio
import fcntl
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING

from workers.cli.local import embedded, environment
from workers.cli.local.embedded import Ports
from workers.cli.local.steps import Steps
from workers.cli.local.supervised import SupervisedWorker
from workers.errors import LetheError, UsageError
from workers.mail import dkim
from workers.settings import Settings

if TYPE_CHECKING:
    from deploy.local.stack import Stack

_READY_TIMEOUT_S = 120.0
_POLL_S = 0.05


class LocalLethe:
    """The platform of one data directory. `start` returns when it is ready; `stop` ends all of it in order.

    What it holds survives a restart. Only one process at a time may run a data directory. `alone`: as in
    `embedded.settings`.
    """

    def __init__(
        self,
        data_dir: Path,
        ports: Ports,
        steps: Steps,
        processes: Mapping[str, tuple[str, ...]],
        alone: bool = False,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.ports = ports
        self.settings: Settings
        self._steps = steps
        self._processes = processes
        self._alone = alone
        self._stack: Stack = embedded.stack(self.data_dir, ports)
        self._workers: list[SupervisedWorker] = []
        self._lock: IO[str] | None = None

    @property
    def environment_file(self) -> Path:
        """Settings for other commands, as long as it runs."""
        return self.data_dir / "env"

    @property
    def is_started(self) -> bool:
        """Whether there is something to stop, ready or not."""
        return self._lock is not None

    @property
    def web_ports(self) -> Mapping[str, int]:
        """Where each process's /health, /ready and /metrics are."""
        return {name: self.ports.web + number for number, name in enumerate(self._processes)}

    def start(self) -> None:
        """Raises LetheError; call `stop` then, too."""
        from deploy.local import jars

        with self._steps.step("Apache Kafka's programs are here (fetched once)", bar=True):
            jars.ensure(jars.default_cache(self.data_dir))
        self._lock = _lock(self.data_dir)
        dkim.create(self.data_dir / "dkim")  # before the mailer looks for them
        known = self._stack.postgres.cluster_dir.exists()
        if known:
            self._start_workers()  # they load while the servers start, and wait for them
        with self._steps.step("Kafka and PostgreSQL answer"):
            self._stack.start()
        self.settings = self._settings()
        environment.write(self.environment_file, environment.variables(self.settings))
        if not known:
            self._start_workers()
        with self._steps.step("Database and topics are prepared"):
            self._prepare()
        if self._processes:
            with self._steps.step(f"Workers are ready: {', '.join(self._processes)}"):
                self._await_workers()

    def check(self) -> None:
        """Look after the workers. Raises StackError when Kafka or PostgreSQL ended by itself."""
        self._stack.check()
        for worker in self._workers:
            if told := worker.check():
                self._steps.say(f"[yellow]!![/yellow]  {told}")

    def stop(self) -> None:
        """Workers first: they still need the servers to finish what they have read. Does nothing before `start`."""
        if self._lock is None:
            return
        if self._workers:
            with ThreadPoolExecutor(len(self._workers)) as pool:
                list(pool.map(SupervisedWorker.stop, self._workers))
        self._stack.stop()
        self.environment_file.unlink(missing_ok=True)
        self._lock.close()
        self._lock = None

    def _settings(self) -> Settings:
        return embedded.settings(self._stack, self.data_dir, self.ports, self._alone)

    def _prepare(self) -> None:
        """Tables and topics have nothing to do with each other."""
        with ThreadPoolExecutor(2) as pool:
            for done in (pool.submit(_migrate, self.settings), pool.submit(_apply_topics, self.settings)):
                done.result()

    def _start_workers(self) -> None:
        child = environment.for_child(self._settings(), embedded.ROOT)
        folder = self.data_dir / "workers"
        self._workers = [
            SupervisedWorker(name, self._processes[name], port, folder, child) for name, port in self.web_ports.items()
        ]
        for worker in self._workers:
            worker.start()

    def _await_workers(self) -> None:
        deadline_s = time.monotonic() + _READY_TIMEOUT_S
        waiting = list(self._workers)
        while waiting:
            waiting = [worker for worker in waiting if not worker.is_ready()]
            if waiting and time.monotonic() > deadline_s:
                raise LetheError(
                    f"the worker {waiting[0].name} is not ready after {_READY_TIMEOUT_S:.0f} s; the end of its log:\n"
                    f"{waiting[0].last_lines()}"
                )
            time.sleep(_POLL_S)


def _lock(data_dir: Path) -> IO[str]:
    """Held as long as the platform runs: a second one on the same directory would end the first one's workers."""
    data_dir.mkdir(parents=True, exist_ok=True)
    handle = (data_dir / "lethe.lock").open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.seek(0)
        holder = handle.read().strip() or "unknown"
        handle.close()
        raise UsageError(
            f"Lethe already runs in {data_dir} (process {holder}): use it, end that process first, or choose another "
            "--data-dir and ports"
        ) from None
    handle.truncate(0)
    handle.write(f"{os.getpid()}\n")
    handle.flush()
    return handle


def _migrate(settings: Settings) -> None:
    from workers.cli import migrate

    asyncio.run(migrate.prepare(settings, lambda line: None))


def _apply_topics(settings: Settings) -> None:
    from topics import plan
    from workers.cli import topics

    desk = topics.desk(settings)
    if todo := plan.pending(desk.changes()):
        desk.admin.apply(todo)
