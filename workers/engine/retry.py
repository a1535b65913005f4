"""Retry in place: the same work again, with backoff, until it succeeds or is called off."""

import asyncio
import random
from collections.abc import AsyncIterator

from workers.settings import Settings


async def attempts(settings: Settings) -> AsyncIterator[int]:
    """Yields 0, 1, 2, … for ever; waits before each one but the first.

    The wait doubles from `retry_initial_s` to `retry_max_s`, each with a random half taken off so that workers that
    failed together do not come back together.
    """
    wait_s = settings.retry_initial_s
    number = 0
    while True:
        yield number
        await asyncio.sleep(wait_s * (0.5 + random.random() / 2))  # noqa: S311  (jitter, not a secret)
        wait_s = min(wait_s * 2, settings.retry_max_s)
        number += 1
