"""However slow something is, the demo waits for it as long as it moves."""

import pytest

from workers.cli.demo import patience
from workers.errors import LetheError


async def test_only_standing_still_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "POLL_S", 0.001)
    monkeypatch.setattr(patience, "PATIENCE_S", 0.5)
    seen = iter(range(10_000))

    async def count() -> int:
        return next(seen)

    async def stand() -> int:
        return 1

    assert await patience.until(count, lambda number: number == 700, str) == 700
    with pytest.raises(LetheError, match="so far 1"):
        await patience.until(stand, lambda number: number == 2, lambda number: f"so far {number}")
