"""The watchdog: a partition that has lag and does not advance makes `/health` fail, so that the worker is replaced.

Clients of Kafka have stopped fetching for good after a broker's restart, with every connection looking healthy;
only progress per partition tells (Cloudflare, 2023: liveness is "the position advanced, or there is nothing to do").
"""

import time
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError

from workers.clock import monotonic_s
from workers.engine.lane import Lane


class Progress(NamedTuple):
    """How one partition stands.

    `lag` counts records not applied, None while that is not known; `lag_s` is the age of the oldest one in hand;
    `stalled_s` is for how long the partition has not advanced while it was behind.
    """

    topic: str
    partition: int
    lag: int | None
    lag_s: float
    stalled_s: float


def progress(lane: Lane, consumer: AIOKafkaConsumer) -> Progress:
    """The progress of a lane. A lane that has not opened yet counts as behind."""
    partition = lane.partition
    lag = _lag(lane, consumer)
    if lag == 0:
        lane.advanced_s = monotonic_s()
    lag_s = max(0.0, time.time() - lane.in_hand[0] / 1000) if lane.in_hand else 0.0
    return Progress(partition.topic, partition.partition, lag, lag_s, monotonic_s() - lane.advanced_s)


def _lag(lane: Lane, consumer: AIOKafkaConsumer) -> int | None:
    if lane.next_offset is None:
        return None
    try:
        end = consumer.last_stable_offset(lane.partition)
    except IllegalStateError:  # the partition is being taken away
        return 0
    if end is None or end < 0:
        return 0
    return max(0, int(end) - lane.applied_offset)
