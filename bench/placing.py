"""`python -m bench.placing`: publishes orders at a steady pace, from a process of its own.

An open loop: order n is due at a fixed instant whatever happened to those before it, and latency counts
from when it was due. Prints the instant of order 0 (wall clock, ns) before it begins, and at the end by
how many ms it ever fell behind.
"""

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka import Producer

from workers import carriers
from workers.cli.samples import orders as sample_orders

_LEAD_S = 0.3
_SLEEP_FROM_S = 0.0003


def main() -> None:
    """Publish, then say how well the pace was kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("bootstrap")
    parser.add_argument("topic")
    parser.add_argument("carriers_dir", type=Path)
    parser.add_argument("orders", type=int)
    parser.add_argument("orders_per_s", type=int)
    parser.add_argument("seed", type=int)
    given = parser.parse_args()
    events = list(sample_orders.orders(given.orders, given.seed, carriers.load(given.carriers_dir), datetime.now(UTC)))
    producer = Producer(
        {
            "bootstrap.servers": given.bootstrap,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 0,
            "partitioner": "murmur2_random",
        }
    )
    producer.list_topics(given.topic, timeout=10)
    step_s = 1 / given.orders_per_s
    start_s = time.time() + _LEAD_S
    print(int(start_s * 1e9), flush=True)
    behind_s = 0.0
    for number, event in enumerate(events):
        due_s = start_s + number * step_s
        while (early_s := due_s - time.time()) > _SLEEP_FROM_S:
            time.sleep(early_s)
        behind_s = max(behind_s, -early_s)
        producer.produce(given.topic, event.value, event.key, headers=list(event.headers))
        producer.poll(0)
    producer.flush(30)
    print(behind_s * 1000, flush=True)


if __name__ == "__main__":
    main()
