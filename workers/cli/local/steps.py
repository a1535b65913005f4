"""Progress that is visible from the first second: a spinner on a terminal, plain lines elsewhere."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

_HEARTBEAT_S = 5.0


class Steps:
    """Names what is being done and remembers how long each step took (`timings`, in seconds)."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.timings: list[tuple[str, float]] = []
        self._started_s = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Since the first step."""
        return time.monotonic() - self._started_s

    def say(self, text: str) -> None:
        """A line by itself."""
        self.console.print(text, highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, text: str, bar: bool = False) -> Iterator[None]:
        """One step; `bar` says that the step draws a progress bar of its own."""
        started_s = time.monotonic()
        if self.console.is_terminal and not bar:
            with self.console.status(text):
                yield
        else:
            with self._heartbeat(text):
                yield
        seconds = time.monotonic() - started_s
        self.timings.append((text, seconds))
        self.say(f"[green]ok[/green]  {text} [dim]{seconds:.1f} s[/dim]")

    @contextmanager
    def _heartbeat(self, text: str) -> Iterator[None]:
        """A line now and then, so that a log without a terminal does not look dead."""
        ended = threading.Event()
        started_s = time.monotonic()

        def beat() -> None:
            while not ended.wait(_HEARTBEAT_S):
                self.say(f"..  {text} [dim]{time.monotonic() - started_s:.0f} s so far[/dim]")

        thread = threading.Thread(target=beat, name="lethe-heartbeat", daemon=True)
        if not self.console.is_terminal:
            thread.start()
        try:
            yield
        finally:
            ended.set()
