"""Orders per second over a backlog, and memory over a long one."""

import statistics
from dataclasses import dataclass
from typing import NamedTuple

from bench import contender as contenders
from bench import observer
from bench.contender import Contender, Kind
from bench.observer import Report
from bench.site import Site
from bench.source import Source

BATCH_SIZES = (1000, 2000, 4000)
_EARLY = (0.05, 0.25)
_LATE = (0.75, 1.0)


@dataclass(frozen=True)
class Measured:
    """One run: unique orders per second, peak memory, processor time of the contender's process per order."""

    orders_per_s: float
    rss_mb: float
    cpu_us_per_order: float


class Soak(NamedTuple):
    """Memory over a long run, MiB: medians of the first and of the last quarter, the peak."""

    orders: int
    orders_per_s: float
    first_quarter_mb: float
    last_quarter_mb: float
    peak_mb: float


def measure(site: Site, kind: Kind, source: Source, prefix: str, batch_records: int, report: Report) -> Measured:
    """Run one contender over one input, check what it published. Raises BenchError."""
    with Contender(site, kind, source, prefix, batch_records) as contender:
        contenders.wait_started(contender)
        before = contender.usage()
        seconds = observer.wait_done(contender, source, report) - contender.started_s
        after = contender.usage()
        contender.end()
        observer.verify(site, contender, source)
        cpu_us = (after.cpu_s - before.cpu_s) / source.orders * 1e6
        return Measured(source.orders / seconds, after.rss_mb, cpu_us)


def soak(site: Site, kind: Kind, source: Source, prefix: str, batch_records: int, report: Report) -> Soak:
    """The same over a long input, with memory sampled at every look. Raises BenchError."""
    samples: list[tuple[float, float]] = []
    with Contender(site, kind, source, prefix, batch_records) as contender:

        def sample(share: float) -> None:
            samples.append((share, contender.rss_mb()))
            report(share)

        contenders.wait_started(contender)
        seconds = observer.wait_done(contender, source, sample) - contender.started_s
        peak_mb = contender.usage().rss_mb
        contender.end()
        observer.verify(site, contender, source)
    early, late = _median(samples, *_EARLY), _median(samples, *_LATE)
    return Soak(source.orders, source.orders / seconds, early, late, peak_mb)


def _median(samples: list[tuple[float, float]], low: float, high: float) -> float:
    """The median memory while the share done was between `low` (warmed up) and `high`."""
    chosen = [rss_mb for share, rss_mb in samples if low <= share <= high]
    return statistics.median(chosen or [rss_mb for _, rss_mb in samples])
