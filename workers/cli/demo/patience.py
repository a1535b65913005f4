"""Waiting for something that goes on by itself: however slow the machine is, only standing still is a failure."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from workers.errors import LetheError

POLL_S: Final = 0.1
PATIENCE_S: Final = 120.0
T = TypeVar("T")


async def until(look: Callable[[], Awaitable[T]], is_done: Callable[[T], object], said: Callable[[T], str]) -> T:
    """What `look` sees once it is done. Raises LetheError when it sees the same for two minutes; `said` tells what."""
    seen, moved_s = await look(), time.monotonic()
    while not is_done(seen):
        await asyncio.sleep(POLL_S)
        before, seen = seen, await look()
        if seen != before:
            moved_s = time.monotonic()
        elif time.monotonic() - moved_s > PATIENCE_S:
            raise LetheError(f"nothing has moved for {PATIENCE_S:.0f} s: {said(seen)}; the workers' logs say why")
    return seen
