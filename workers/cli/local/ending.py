"""Ends a command in the foreground in order: Ctrl-C, SIGTERM and a closed terminal all mean the same."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ending:
    """While it is entered, a signal raises KeyboardInterrupt where the main thread is, or ends `wait`.

    From `begin` on further signals are ignored, so that what was started is also stopped.
    """

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._waiting = False
        self._ending = False
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._former[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def wait(self, timeout_s: float) -> bool:
        """Whether a signal came within the time."""
        self._waiting = True
        try:
            return self._ended.wait(timeout_s)
        finally:
            self._waiting = False

    def begin(self) -> None:
        """The ending has begun: nothing may interrupt it."""
        self._ending = True

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._ended.set()
        if not self._waiting and not self._ending:
            raise KeyboardInterrupt
