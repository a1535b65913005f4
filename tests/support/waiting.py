"""Waiting for what other processes do."""

import time
from collections.abc import Callable


def wait_until(
    holds: Callable[[], object], timeout_s: float, otherwise: Callable[[], str] | str, poll_s: float = 0.05
) -> None:
    """Return once `holds()`. Raises AssertionError with the text of `otherwise` when it does not in time."""
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline_s:
            raise AssertionError(
                f"not within {timeout_s:.0f} s: {otherwise if isinstance(otherwise, str) else otherwise()}"
            )
        time.sleep(poll_s)
