"""How far a group is behind, in seconds, found without reading a record.

A broker tells the first offset whose timestamp is at or after a given time (ListOffsets, KIP-79). Asked a few
times, it gives away the timestamp of the record that a group reads next, and that record's age is the lag.
Nothing is kept between two readings and no payload is touched, so describe rights on the topic are enough.

What it cannot see: the broker counts control records (the markers that end transactions) as records.
On a topic written only inside transactions two facts help: the visible part of a partition ends in a marker,
so a lag of one is no lag; and the record after the committed one is younger by a transaction's length at
most, so its age is taken, lest a marker before a long pause pass for unread data. Where several producers end
their transactions together, more than one marker can trail; only a look at the records tells (see
`lag.LagReader.read`, `peek`).
"""

from dataclasses import dataclass, field

FIRST_STEP_MS = 1_000
STEP_FACTOR = 8
TOLERANCE_MS = 20
TOLERANCE_RATIO = 0.01


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """One partition as one group sees it.

    `committed` is None where the group has committed nothing there yet: it counts from the log's start.
    `end` is the last stable offset: what a read_committed consumer can reach. `lag` is in messages, control
    records included; `lag_seconds` is the age of the oldest unread record, 0.0 when there is none.
    """

    group: str
    topic: str
    partition: int
    committed: int | None
    end: int
    lag: int
    lag_seconds: float


@dataclass(slots=True)
class AgeSearch:
    """Finds the timestamp of the first record at or after `target`; ask `probe_ms`, `answer`, until `done`.

    Timestamps are taken to rise with offsets, as `LogAppendTime` has them. The result is never too young, and
    too old by at most 1 % of the age or 20 ms, except where `target` itself was compacted away: then it is
    the age of the record before.
    """

    target: int
    now_ms: int
    done: bool = False
    found_ms: int | None = None
    """Timestamp found when `done`; None if there is no record at or after `target`."""
    _low_ms: int | None = field(default=None, init=False)
    _high_ms: int = field(init=False)
    _step_ms: int = field(default=FIRST_STEP_MS, init=False)
    _next_ms: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._high_ms = self.now_ms

    @property
    def probe_ms(self) -> int:
        """The time to ask for: ever further back until a record before `target` shows, then bisecting."""
        if self._low_ms is None:
            return max(0, self.now_ms - self._step_ms)
        return (self._low_ms + self._high_ms + 1) // 2

    def answer(self, offset: int | None, timestamp_ms: int | None) -> None:
        """Take the broker's answer to `probe_ms`: the first record at or after it, or None for none."""
        probe_ms = self.probe_ms
        if offset == self.target:
            self._finish(timestamp_ms)
        elif offset is not None and timestamp_ms is not None and offset < self.target:
            self._low_ms = timestamp_ms
            self._high_ms = max(self._high_ms, timestamp_ms)
        else:
            self._next_ms = timestamp_ms if offset is not None else self._next_ms
            self._high_ms = probe_ms - 1
            self._step_ms *= STEP_FACTOR
            if probe_ms == 0:
                self._finish(self._next_ms)
        self._stop_when_close()

    def age_s(self) -> float:
        """Seconds since the record found, 0.0 for none."""
        return 0.0 if self.found_ms is None else max(0, self.now_ms - self.found_ms) / 1000

    def _stop_when_close(self) -> None:
        if self.done or self._low_ms is None:
            return
        tolerance_ms = max(TOLERANCE_MS, int((self.now_ms - self._high_ms) * TOLERANCE_RATIO))
        if self._high_ms - self._low_ms <= tolerance_ms:
            self._finish(self._low_ms)

    def _finish(self, timestamp_ms: int | None) -> None:
        self.done = True
        self.found_ms = timestamp_ms


def search_for(committed: int, end: int, now_ms: int, transactional: bool) -> AgeSearch | None:
    """The search that tells the lag in seconds, or None where nothing is unread."""
    target = committed + 1 if transactional else committed
    return AgeSearch(target, now_ms) if target < end else None
