"""What the person who runs the bench sees while it runs: each step with its share done, then its result."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bench.observer import Report


class Screen:
    """Lines that stay, and below them a bar for what is under way (on a terminal)."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        self._started_s = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        )

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show the bar while the block runs."""
        with self._bar:
            yield

    def say(self, text: str) -> None:
        """A line that stays, with the time since the start."""
        self.console.print(f"[dim]{time.monotonic() - self._started_s:5.0f} s[/]  {text}")

    @contextmanager
    def step(self, title: str) -> Iterator[Report]:
        """A bar for one step; the value is told the share that is done."""
        bar: TaskID = self._bar.add_task(title, total=1.0)
        try:
            yield lambda share: self._bar.update(bar, completed=share)
        finally:
            self._bar.remove_task(bar)
