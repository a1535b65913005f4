"""One stack for a whole test run, started when the first test asks for it and owned by pytest's main process.

With xdist the workers ask the main process over a local socket: it alone starts and ends the servers, so none
is left behind when a worker crashes, and the servers die with it when it is killed itself.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path

from deploy.local import kafka
from deploy.local.stack import Stack
from tests.support.endpoints import Endpoints


class SharedStack:
    """The main process's side."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._directory: Path | None = None
        self._stack: Stack | None = None
        self._listener: Listener | None = None

    def endpoints(self) -> Endpoints:
        """Starts the stack unless it runs (or the environment names one)."""
        given = Endpoints.from_environment()
        if given is not None:
            return given
        with self._starting:
            if self._stack is None:
                self._directory = Path(tempfile.mkdtemp(prefix="lethe-tests-"))
                stack = Stack.ephemeral(self._directory, jvm_options=kafka.QUICK_START)
                stack.start()
                self._stack = stack
        return Endpoints.of(self._stack)

    def listen(self) -> tuple[str, int]:
        """Starts to answer xdist's workers; the value is what `ask` needs."""
        if self._listener is None:
            self._listener = Listener(("127.0.0.1", 0), authkey=b"lethe-tests")
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        port: int = self._listener.address[1]
        return "127.0.0.1", port

    def stop(self) -> None:
        """Ends the stack and removes its data."""
        if self._listener is not None:
            self._listener.close()
        with self._starting:
            if self._stack is not None:
                self._stack.stop()
            if self._directory is not None:
                shutil.rmtree(self._directory, ignore_errors=True)

    def _accept(self, listener: Listener) -> None:
        while True:
            try:
                connection = listener.accept()
            except OSError:
                return  # closed: the run is over
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: Connection) -> None:
        with connection:
            try:
                connection.send(self.endpoints())
            except Exception as error:  # the worker that asked raises it
                connection.send(RuntimeError(str(error)))


def ask(host: str, port: int) -> Endpoints:
    """A worker's side: blocks until the stack answers."""
    with Client((host, port), authkey=b"lethe-tests") as connection:
        answer = connection.recv()
    if isinstance(answer, BaseException):
        raise answer
    assert isinstance(answer, Endpoints)
    return answer
