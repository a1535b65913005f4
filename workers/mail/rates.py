"""How fast mails may leave: a bucket for all, and one for each recipient domain."""

from collections.abc import Callable


class Bucket:
    """Holds a second's worth of tokens at most; `take` tells how long to wait for what was taken."""

    def __init__(self, per_s: float, monotonic_s: Callable[[], float]) -> None:
        self._per_s = per_s
        self._monotonic_s = monotonic_s
        self._tokens = max(1.0, per_s)
        self._filled_s = monotonic_s()
        self._next_turn_s = 0.0

    def take(self, count: int) -> float:
        """Take so many; returns the seconds to wait before they are really there."""
        now_s = self._monotonic_s()
        self._tokens = min(max(1.0, self._per_s), self._tokens + (now_s - self._filled_s) * self._per_s) - count
        self._filled_s = now_s
        return max(0.0, -self._tokens / self._per_s)

    def take_or_turn(self) -> float:
        """Take one if it is there: 0. Else the seconds until one is, each caller's a turn behind the one before."""
        if self.take(0) <= 0 and self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        self._next_turn_s = max(self._next_turn_s, self._filled_s) + 1 / self._per_s
        return self._next_turn_s - self._filled_s


class DomainRates:
    """A bucket per domain, forgotten when there are too many."""

    def __init__(self, per_s: float, monotonic_s: Callable[[], float], remembered: int = 10_000) -> None:
        self._per_s = per_s
        self._monotonic_s = monotonic_s
        self._remembered = remembered
        self._buckets: dict[str, Bucket] = {}

    def take_or_turn(self, domain: str) -> float:
        """0 where one more mail may go to this domain now, else the seconds until it is its turn."""
        if len(self._buckets) > self._remembered:
            self._buckets.clear()
        bucket = self._buckets.get(domain)
        if bucket is None:
            bucket = self._buckets[domain] = Bucket(self._per_s, self._monotonic_s)
        return bucket.take_or_turn()
