"""The input of a round: the same bytes in the same partitions for every contender."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain, islice
from typing import NamedTuple

from confluent_kafka import KafkaError, Message, Producer

from bench.site import QUIET, BenchError, Site
from topics import catalogue
from workers.cli.samples import orders as sample_orders
from workers.cli.samples.events import SampleEvent

SMALLEST = 100
"""Orders; fewer would hold no duplicate."""

_DUPLICATES = 0.01
_FLUSH_EVERY = 50_000
_FLUSH_TIMEOUT_S = 60


class Source(NamedTuple):
    """A published input: `records` lie in `topic`, `orders` of them are different."""

    topic: str
    partitions: int
    orders: int
    records: int
    seed: int


def events(site: Site, orders: int, seed: int) -> Iterator[SampleEvent]:
    """Orders to every carrier and country that the generator knows, for 0.6 customers an order."""
    return sample_orders.orders(orders, seed, site.carriers, datetime.now(UTC))


def publish(site: Site, prefix: str, orders: int, seed: int) -> Source:
    """Publish orders to a new `<prefix>orders`, then the first 1 % of them once more with the same ids."""
    site.create_topics(prefix, (catalogue.ORDERS,))
    topic = f"{prefix}{catalogue.ORDERS}"
    repeated = list(islice(events(site, orders, seed), int(orders * _DUPLICATES)))
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failures.append(error)

    producer = Producer(
        {
            "bootstrap.servers": site.stack.bootstrap,
            "enable.idempotence": True,
            "linger.ms": 20,
            "batch.size": 262_144,
            "partitioner": "murmur2_random",
        },
        logger=QUIET,
    )
    count = 0
    for count, event in enumerate(chain(events(site, orders, seed), repeated), 1):
        producer.produce(topic, event.value, event.key, headers=list(event.headers), on_delivery=delivered)
        if count % _FLUSH_EVERY == 0:
            producer.flush(_FLUSH_TIMEOUT_S)
    if producer.flush(_FLUSH_TIMEOUT_S) or failures:
        raise BenchError(f"the orders could not be published: {failures[:1] or 'the broker is too slow'}")
    partitions = len(producer.list_topics(topic, timeout=10).topics[topic].partitions)
    return Source(topic, partitions, orders, count, seed)


def order_id(seed: int, number: int) -> bytes:
    """The id of the generator's order."""
    return f"o{seed}-{number:07d}".encode()
