"""Answers that leave on the beat: how long the work took does not tell whether an address is known."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from workers import clock

BEAT_S = 0.25
"""Far more than the work takes on an idle machine, and short enough for a person who waits."""


@asynccontextmanager
async def even() -> AsyncIterator[None]:
    """What is done inside ends a whole number of beats after it began, whether it succeeds or raises."""
    began_s = clock.monotonic_s()
    try:
        yield
    finally:
        await asyncio.sleep(rest_s(clock.monotonic_s() - began_s))


def rest_s(elapsed_s: float) -> float:
    """How long to wait for the next beat."""
    return BEAT_S - elapsed_s % BEAT_S
