"""Sees from outside when a contender is done, and checks what it did."""

import time
from collections.abc import Callable

from bench.contender import Contender
from bench.site import BenchError, Site
from bench.source import Source, order_id
from bench.task import OUTPUT_PARTITIONS

Report = Callable[[float], None]
"""Is told the share that is done, 0 to 1."""

_RARE_POLL_S = 0.1
_FREQUENT_POLL_S = 0.01
_NEARLY_DONE = 0.9
_STALL_TIMEOUT_S = 60


def wait_done(contender: Contender, source: Source, report: Report) -> float:
    """Returns the wall clock (s) when the last address was visible. Raises BenchError when nothing moves.

    A contender that commits its offsets in the transaction of its records is done when its group has
    committed the end of the input; one that has no transactions when as many records as there are orders lie
    in its outputs. Asked rarely at first, to leave the processors to the work, and every 10 ms for the last
    tenth.
    """
    wanted = source.records if contender.kind.transactional else source.orders
    best, advanced_s = -1, time.monotonic()
    while True:
        done = contender.applied() if contender.kind.transactional else contender.published()
        now_s = time.time()
        report(min(1.0, done / wanted))
        if done >= wanted:
            return now_s
        if done > best:
            best, advanced_s = done, time.monotonic()
        elif time.monotonic() - advanced_s > _STALL_TIMEOUT_S:
            raise contender.fail(f"{done} of {wanted} after {_STALL_TIMEOUT_S} s without progress")
        contender.check()
        time.sleep(_RARE_POLL_S if done < wanted * _NEARLY_DONE else _FREQUENT_POLL_S)


def verify(site: Site, contender: Contender, source: Source) -> None:
    """Raises BenchError unless every order is in exactly one output topic exactly once."""
    keys = site.read_keys(contender.outputs.values(), OUTPUT_PARTITIONS)
    wanted = {order_id(source.seed, number) for number in range(source.orders)}
    found = set(keys)
    if len(keys) != len(found) or found != wanted:
        raise BenchError(
            f"{contender.kind.name} published {len(keys)} records for {len(wanted)} orders: "
            f"{len(wanted - found)} lost, {len(keys) - len(found)} repeated, {len(found - wanted)} unknown"
        )
