"""Kafka and PostgreSQL together: one data directory, started side by side, ended in order."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

from deploy.local import jars, ports
from deploy.local.failure import NotStarted, StackError
from deploy.local.kafka import KafkaBroker
from deploy.local.postgres import Postgres

DATABASE = "lethe"


class Ports(NamedTuple):
    """Where the servers listen on 127.0.0.1."""

    kafka: int = 19092
    controller: int = 19093
    postgres: int = 15432

    @classmethod
    def free(cls) -> Self:
        """Ports that nothing uses, chosen by no other process of this user either."""
        return cls(*ports.choose(3))


class Stack:
    """The embedded stack of one data directory; what it holds survives a restart.

    Only one process at a time may run it: a lock on the directory, held while it runs, tells. The servers end
    when this process ends, however it ends; what survives (not on Linux) is ended at the next start.
    Every method blocks and may be called from any thread.
    """

    def __init__(
        self,
        data_dir: Path,
        listen: Ports | None = None,
        *,
        kafka_overrides: Mapping[str, str] | None = None,
        postgres_overrides: Mapping[str, str] | None = None,
        jvm_options: Sequence[str] = (),
        show_progress: bool = True,
    ) -> None:
        self.data_dir = data_dir.absolute()
        listen = listen or Ports()
        self.kafka = KafkaBroker(
            self.data_dir / "kafka",
            listen.kafka,
            listen.controller,
            overrides=kafka_overrides,
            jvm_options=jvm_options,
            jars_dir=jars.default_cache(self.data_dir),
            show_progress=show_progress,
        )
        self.postgres = Postgres(self.data_dir / "postgres", listen.postgres, overrides=postgres_overrides)
        self._lock: IO[str] | None = None
        self._may_move = False

    @classmethod
    def ephemeral(
        cls,
        data_dir: Path,
        *,
        kafka_overrides: Mapping[str, str] | None = None,
        postgres_overrides: Mapping[str, str] | None = None,
        jvm_options: Sequence[str] = (),
    ) -> Self:
        """A stack on ports that are free now, silent: for tests and demonstrations.

        When its first start fails, it tries once more on other ports.
        """
        stack = cls(
            data_dir,
            Ports.free(),
            kafka_overrides=kafka_overrides,
            postgres_overrides=postgres_overrides,
            jvm_options=jvm_options,
            show_progress=False,
        )
        stack._may_move = True
        return stack

    @property
    def bootstrap(self) -> str:
        """Kafka's `host:port`."""
        return self.kafka.bootstrap

    def dsn(self, database: str = DATABASE) -> str:
        """PostgreSQL's connection URI, with the password in it."""
        return self.postgres.dsn(database)

    def start(self) -> None:
        """Returns once both answer and the database `lethe` exists; does nothing when it runs already.

        Raises StackError, with nothing left running, when a port is taken, another process runs the same
        directory, the jars cannot be fetched, or a server does not come up.
        """
        self._acquire()
        try:
            try:
                self._start()
            except NotStarted:
                if not self._may_move:
                    raise
                self._move(Ports.free())
                self._start()
        except BaseException:
            self.stop()
            raise
        self._may_move = False  # from now on others know where it is

    def stop(self) -> None:
        """Ends both in order. Does nothing when it does not run."""
        self._stop_servers()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def check(self) -> None:
        """Raises StackError when one of the servers ended by itself."""
        for name, server in (("Kafka", self.kafka), ("PostgreSQL", self.postgres)):
            if server.pid is None:
                raise StackError(f"{name} ended unexpectedly: its log is {server.log}")

    def _start(self) -> None:
        self.kafka.claim()
        self.postgres.claim()
        with ThreadPoolExecutor(2) as pool:
            for started in [pool.submit(self.kafka.start), pool.submit(self._start_postgres)]:
                started.result()

    def _move(self, listen: Ports) -> None:
        self._stop_servers()
        self.kafka.port, self.kafka.controller_port, self.postgres.port = listen

    def _stop_servers(self) -> None:
        with ThreadPoolExecutor(2) as pool:
            for stopped in [pool.submit(self.kafka.stop), pool.submit(self.postgres.stop)]:
                stopped.result()

    def _start_postgres(self) -> None:
        self.postgres.start()
        self.postgres.create_database(DATABASE)

    def _acquire(self) -> None:
        if self._lock is not None:
            return
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = (self.data_dir / "stack.lock").open("a+")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            handle.close()
            raise StackError(
                f"a stack already runs in {self.data_dir} (process {holder}): use it, or end that one first"
            ) from None
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        self._lock = handle

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
