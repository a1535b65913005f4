"""The order in which a run measures: interleaved, so that a slow minute of the machine meets every
contender.
"""

from bench import erasures, keys, latency, mails, source, throughput
from bench.contender import FAST, LETHE, NAIVE, RAW_LOOP, Kind
from bench.report import Results
from bench.screen import Screen
from bench.site import Site
from bench.source import Source

_DEFAULT_BATCH_RECORDS = 2000


class Session:
    """One run on one site."""

    def __init__(self, site: Site, results: Results, screen: Screen) -> None:
        self._site = site
        self._results = results
        self._options = results.options
        self._screen = screen
        self._seed = 0

    def run(self) -> None:
        """Measure everything that was asked for, into the results. Raises BenchError."""
        self._results.batch_records = self._calibrate()
        for number in range(1, self._options.rounds + 1):
            self._round(number)
        for number in range(1, self._options.latency_rounds + 1):
            if self._options.latency_s:
                self._latency_round(number)
        if self._options.soak_orders:
            self._soak()
        for number in range(1, self._options.rounds + 1):
            if self._options.mails:
                self._mail_round(number)
        if self._options.mails_soak:
            self._mail_soak()
        if self._options.rotation:
            self._rotate()
        if self._options.erasures:
            self._erase()

    def _calibrate(self) -> int:
        """Let the raw loop choose its batch size, once; its neighbours with batches take the same."""
        if not self._options.calibrate:
            return _DEFAULT_BATCH_RECORDS
        found = {}
        given = self._publish("c.", self._options.orders)
        for size in throughput.BATCH_SIZES:
            with self._screen.step(f"raw loop with batches of {size}") as report:
                measured = throughput.measure(self._site, RAW_LOOP, given, f"c{size}.", size, report)
            found[size] = measured.orders_per_s
            self._screen.say(f"raw loop, batches of {size}: {measured.orders_per_s:,.0f} orders/s (a trial)")
        self._site.delete_topics("c.")
        return max(found, key=lambda size: found[size])

    def _round(self, number: int) -> None:
        for prefix, orders, kinds in (
            (f"r{number}.", self._options.orders, FAST),
            (f"n{number}.", self._options.naive_orders, NAIVE),
        ):
            given = self._publish(prefix, orders)
            for kind in kinds:
                self._measure(number, kind, given, prefix)
            self._site.delete_topics(prefix)

    def _measure(self, number: int, kind: Kind, given: Source, prefix: str) -> None:
        title = f"round {number}/{self._options.rounds}  {kind.name}"
        with self._screen.step(title) as report:
            measured = throughput.measure(self._site, kind, given, prefix, self._results.batch_records, report)
        self._results.measured.setdefault(kind.name, []).append(measured)
        self._screen.say(f"{title}: {measured.orders_per_s:,.0f} orders/s, {measured.rss_mb:.0f} MB")

    def _latency_round(self, number: int) -> None:
        for kind in (LETHE, RAW_LOOP):
            prefix = f"l{number}.{kind.module}."
            title = f"latency {number}/{self._options.latency_rounds}  {kind.name}"
            with self._screen.step(title) as report:
                found = latency.measure(self._site, kind, prefix, self._next_seed(2), self._options.latency_s, report)
            self._site.delete_topics(prefix)
            self._results.latencies.setdefault(kind.name, []).append(found)
            self._screen.say(f"{title}: p50 {found.p50:.0f} ms, p99 {found.p99:.0f} ms")

    def _soak(self) -> None:
        given = self._publish("s.", self._options.soak_orders)
        with self._screen.step("soak  lethe") as report:
            found = throughput.soak(self._site, LETHE, given, "s.", self._results.batch_records, report)
        self._site.delete_topics("s.")
        self._results.soak = found
        self._screen.say(f"soak  lethe: {found.orders_per_s:,.0f} orders/s, peak {found.peak_mb:.0f} MB")

    def _mail_round(self, number: int) -> None:
        for name in mails.CONTENDERS:
            title = f"mails {number}/{self._options.rounds}  {name}"
            with self._screen.step(title) as report:
                found = mails.measure(self._site, name, self._options.mails, f"m{number}", report)
            self._results.mailed.setdefault(name, []).append(found)
            self._screen.say(f"{title}: {found.mails_per_s:,.0f} mails/s, {found.peak_mb:.0f} MB")

    def _mail_soak(self) -> None:
        with self._screen.step("mails, soak  lethe") as report:
            found = mails.measure(self._site, mails.LETHE, self._options.mails_soak, "ms", report)
        self._results.mail_soak = found
        self._screen.say(f"mails, soak  lethe: {found.mails_per_s:,.0f} mails/s, peak {found.peak_mb:.0f} MB")

    def _rotate(self) -> None:
        with self._screen.step("key rotation  lethe") as report:
            found = keys.measure(self._site, self._options.rotation, self._next_seed(2), report)
        self._site.delete_topics("k.")
        self._results.rotated = found
        self._screen.say(f"key rotation: {found.subjects:,} subjects in {found.seconds:.1f} s, workers going on")

    def _erase(self) -> None:
        for bystanders in dict.fromkeys((0, self._options.bystanders)):
            title = f"erasures among {bystanders:,} others  lethe"
            with self._screen.step(title) as report:
                found = erasures.measure(self._site, self._options.erasures, bystanders, report)
            self._results.erased.append(found)
            self._screen.say(f"{title}: {found.per_s:,.0f} persons/s, one alone in {found.latency_s:.1f} s")

    def _publish(self, prefix: str, orders: int) -> Source:
        self._screen.say(f"publishing {orders:,} orders")
        return source.publish(self._site, prefix, orders, self._next_seed())

    def _next_seed(self, count: int = 1) -> int:
        self._seed += count
        return self._seed
