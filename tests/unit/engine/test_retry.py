"""Retries wait longer each time, up to a bound, and never all at the same moment."""

import asyncio
import random

import pytest

from workers.engine import retry
from workers.settings import Settings

SETTINGS = Settings(retry_initial_s=0.1, retry_max_s=2)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return slept


async def attempt(count: int) -> list[int]:
    numbers = []
    async for number in retry.attempts(SETTINGS):
        numbers.append(number)
        if len(numbers) == count:
            break
    return numbers


async def test_the_first_attempt_waits_for_nothing(waits: list[float]) -> None:
    assert await attempt(1) == [0]
    assert waits == []


async def test_the_bound_of_the_wait_doubles_up_to_the_limit(
    waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "random", lambda: 1.0)
    assert await attempt(8) == list(range(8))
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2, 2])


async def test_up_to_half_of_each_wait_is_taken_off(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.0)
    await attempt(4)
    assert waits == pytest.approx([0.05, 0.1, 0.2])


async def test_two_workers_do_not_come_back_together(waits: list[float]) -> None:
    await attempt(20)
    first = waits.copy()
    waits.clear()
    await attempt(20)
    assert waits != first


async def test_they_never_end(waits: list[float]) -> None:
    assert await attempt(500) == list(range(500))
    assert max(waits) <= 2
