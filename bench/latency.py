"""From the instant an order is due to the instant a carrier can read its address."""

import math
import subprocess
import sys
import time
from typing import NamedTuple

from confluent_kafka import Consumer, TopicPartition

from bench import contender as contenders
from bench import observer, source
from bench.contender import Contender, Kind
from bench.observer import Report
from bench.site import QUIET, BenchError, Site
from bench.source import Source
from bench.task import OUTPUT_PARTITIONS

ORDERS_PER_S = 1000
_PRIMING_ORDERS = 500
_WARM_UP_S = 5
_SILENCE_TIMEOUT_S = 15


class Latency(NamedTuple):
    """Milliseconds; `producer_behind_ms` is the worst that the pace slipped, which the others include."""

    p50: float
    p99: float
    worst: float
    producer_behind_ms: float


def measure(site: Site, kind: Kind, prefix: str, seed: int, seconds: int, report: Report) -> Latency:
    """Place 1,000 orders a second for `seconds`, after 5 s that do not count. Raises BenchError.

    The contender is warm: it has taken its connections and applied a first few hundred orders before.
    """
    primed = source.publish(site, prefix, _PRIMING_ORDERS, seed)
    count, skipped = (seconds + _WARM_UP_S) * ORDERS_PER_S, _WARM_UP_S * ORDERS_PER_S
    with Contender(site, kind, primed, prefix, 2000) as contender:
        contenders.wait_started(contender)
        observer.wait_done(contender, primed, lambda _: None)
        reader = _reader(site, contender)
        try:
            start_ns, behind_ms, arrivals_ns = _place_and_read(site, primed, reader, seed + 1, count, report)
        finally:
            reader.close()
        contender.check()
    step_ns = 1e9 / ORDERS_PER_S
    waits_ms = sorted((arrivals_ns[number] - start_ns - number * step_ns) / 1e6 for number in range(skipped, count))
    return Latency(quantile(waits_ms, 0.5), quantile(waits_ms, 0.99), waits_ms[-1], behind_ms)


def quantile(ordered: list[float], share: float) -> float:
    """The nearest-rank quantile of what is sorted already."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _reader(site: Site, contender: Contender) -> Consumer:
    """Reads every carrier's topic from its end, as a carrier would, and waits until it can."""
    partitions = [(topic, number) for topic in contender.outputs.values() for number in range(OUTPUT_PARTITIONS)]
    options = {
        "bootstrap.servers": site.stack.bootstrap,
        "group.id": "bench.latency",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
    }
    consumer = Consumer(options, logger=QUIET)
    ends = site.end_offsets(partitions)
    consumer.assign([TopicPartition(*where, end) for where, end in ends.items()])
    consumer.poll(1.0)
    return consumer


def _place_and_read(
    site: Site, primed: Source, reader: Consumer, seed: int, count: int, report: Report
) -> tuple[int, float, dict[int, int]]:
    """The instant of order 0 (ns), the producer's slip (ms), and when each order's address arrived (ns)."""
    command = [
        *(sys.executable, "-m", "bench.placing", site.stack.bootstrap, primed.topic, str(site.carriers_dir)),
        *(str(count), str(ORDERS_PER_S), str(seed)),
    ]
    env = contenders.environment()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as placing:
        assert placing.stdout is not None
        first_line = placing.stdout.readline()
        if not first_line:
            raise BenchError("the producer of the latency measurement did not start")
        start_ns = int(first_line)
        arrivals_ns = _read_all(reader, source.order_id(seed, 0)[: -len("0000000")], count, report)
        return start_ns, float(placing.stdout.readline()), arrivals_ns


def _read_all(reader: Consumer, id_prefix: bytes, count: int, report: Report) -> dict[int, int]:
    arrivals_ns: dict[int, int] = {}
    heard_s = time.monotonic()
    while len(arrivals_ns) < count:
        message = reader.poll(0.5)
        if message is None:
            if time.monotonic() - heard_s > _SILENCE_TIMEOUT_S:
                raise BenchError(f"{count - len(arrivals_ns)} of {count} addresses never arrived")
            continue
        now_ns, heard_s = time.time_ns(), time.monotonic()
        key = message.key()
        if message.error() is None and key is not None and key.startswith(id_prefix):
            number = int(key[len(id_prefix) :])
            if number in arrivals_ns:
                raise BenchError("an address arrived twice")
            arrivals_ns[number] = now_ns
            if number % ORDERS_PER_S == 0:
                report(number / count)
    report(1.0)
    return arrivals_ns
