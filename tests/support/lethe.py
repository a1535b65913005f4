"""A prepared Lethe under a test's own prefix, real worker processes, an upstream that publishes, carriers that read.

Everything here blocks and runs no event loop of its own in the caller's thread: it serves both kinds of tests.
"""

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import confluent_kafka
from confluent_kafka import Consumer, Producer, TopicPartition

from schemas import registry
from tests.support.verdict import Read
from tests.support.waiting import wait_until
from topics import catalogue, plan
from topics.admin import Admin
from topics.topic import TopicOverride
from workers import carriers as carrier_files
from workers.cli import migrate
from workers.settings import Settings

ROOT = Path(__file__).parents[2]
_TIMEOUT_S = 120.0
_T = TypeVar("_T")


class Brokers(Protocol):
    """A stack, shared or a test's own."""

    @property
    def bootstrap(self) -> str:
        """Kafka's `host:port`."""


class Event(Protocol):
    """What an upstream publishes: a SampleEvent, or anything with the same three."""

    @property
    def key(self) -> bytes | None: ...

    @property
    def headers(self) -> list[tuple[str, bytes]]: ...

    @property
    def value(self) -> bytes | None: ...


class Delivered(NamedTuple):
    """One record as it stands in a topic, headers and all."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: Mapping[str, bytes]
    value: bytes | None


def prepare(
    stack: Brokers,
    prefix: str,
    database: str,
    tmp_path: Path,
    *,
    topics: Mapping[str, TopicOverride] | None = None,
    **chosen: object,
) -> Settings:
    """Tables, keyring and topics, ready for workers. `chosen` are further settings, `topics` overrides by template."""
    small: dict[str, object] = {"orders_partitions": 2, "carrier_partitions": 1, "log_format": "json"}
    named = {"prefix": prefix, "kafka_bootstrap": stack.bootstrap, "database_dsn": database}
    settings = Settings.model_validate(
        {
            **small,
            **named,
            "keyring_dir": tmp_path / "keyring",
            "carriers_dir": ROOT / "deploy/carriers",
            "purposes_file": ROOT / "deploy/purposes.yaml",
            **chosen,
        }
    )
    create_topics(settings, topics)
    in_a_loop(migrate.prepare(settings, lambda line: None))
    return settings


def create_topics(settings: Settings, topics: Mapping[str, TopicOverride] | None = None) -> None:
    """Every topic of Lethe under the prefix of `settings`."""
    overrides = {
        catalogue.ORDERS: TopicOverride(partitions=settings.orders_partitions),
        catalogue.CARRIER_ADDRESSES: TopicOverride(partitions=settings.carrier_partitions),
        catalogue.RELAY_POSITIONS: TopicOverride(partitions=settings.relay_shards),
        catalogue.CONSENTS: TopicOverride(partitions=settings.consents_partitions),
        catalogue.REQUESTS: TopicOverride(partitions=settings.requests_partitions),
        **(topics or {}),
    }
    segments = catalogue.with_segments(overrides, settings.segment_ms)
    wanted = catalogue.catalogue(settings.prefix, carrier_names(settings), segments)
    Admin(settings.kafka_admin).apply(plan.plan(wanted, [], settings.prefix))


def carrier_names(settings: Settings) -> list[str]:
    """The carriers that have a file."""
    return sorted(carrier_files.load(settings.carriers_dir))


def in_a_loop(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end in an event loop of its own, also while another runs in this thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def publish(
    settings: Settings, events: Iterable[Event], topic: str = "orders", partition: int = -1, codec: str = "none"
) -> int:
    """Publish in order as an upstream does, idempotent; returns the count once all is acknowledged."""
    options = {"enable.idempotence": True, "linger.ms": 2, "log_level": 0, "compression.type": codec}
    producer = Producer({**settings.kafka_admin, **options})
    failed: list[str] = []
    count = 0
    for event in events:
        producer.produce(
            settings.topic(topic), event.value, event.key, partition, headers=list(event.headers),
            on_delivery=lambda error, _: failed.append(error.str()) if error else None,
        )  # fmt: skip
        count += 1
        if count % 10_000 == 0:
            producer.flush(_TIMEOUT_S)
    assert producer.flush(_TIMEOUT_S) == 0, "not all was acknowledged"
    assert not failed, f"{len(failed)} refused, such as {failed[0]}"
    return count


def read_topics(settings: Settings, names: Collection[str]) -> list[Delivered]:
    """Everything committed in these topics (named without prefix), partition by partition in log order."""
    consumer = Consumer(
        {
            **settings.kafka_admin,
            "group.id": f"{settings.prefix}test-reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
            "log_level": 0,
        }
    )
    try:
        partitions = _partitions(consumer, [settings.topic(name) for name in names])
        consumer.assign(
            [TopicPartition(topic, number, confluent_kafka.OFFSET_BEGINNING) for topic, number in partitions]
        )
        return _read_to_end(consumer, partitions)
    finally:
        consumer.close()


def read_carriers(settings: Settings, carriers: Collection[str] | None = None) -> list[Read]:
    """What carriers (None: all) read, read_committed, each carrier's partitions in log order; rollers are nothing."""
    names = carrier_names(settings) if carriers is None else carriers
    records = read_topics(settings, [f"carrier.{name}.addresses" for name in names])
    return [
        Read(
            record.topic.removeprefix(f"{settings.prefix}carrier.").removesuffix(".addresses"),
            (record.key or b"").decode(),
            record.headers["ce_id"].decode(),
            record.headers["ce_type"].decode(),
        )
        for record in records
        if record.key != catalogue.ROLLER_KEY
    ]


def read_dead_letters(settings: Settings) -> list[Delivered]:
    """The notices of parked events."""
    return read_topics(settings, [catalogue.DEAD_LETTERS])


def ends(settings: Settings, topic: str = "orders") -> dict[int, int]:
    """The end of each partition's log."""
    consumer = _onlooker(settings)
    try:
        return {
            number: consumer.get_watermark_offsets(TopicPartition(name, number), timeout=_TIMEOUT_S)[1]
            for name, number in _partitions(consumer, [settings.topic(topic)])
        }
    finally:
        consumer.close()


def committed(settings: Settings, topic: str = "orders", worker: str = "shipping") -> dict[int, int]:
    """The worker's group's committed offset of each partition; -1001 where there is none."""
    consumer = _onlooker(settings, settings.group(worker))
    try:
        asked = [TopicPartition(name, number) for name, number in _partitions(consumer, [settings.topic(topic)])]
        return {one.partition: one.offset for one in consumer.committed(asked, timeout=_TIMEOUT_S)}
    finally:
        consumer.close()


def wait_drained(settings: Settings, timeout_s: float = 240.0) -> None:
    """Return once all of the orders topic was applied and published. Raises AssertionError."""
    wanted = ends(settings)
    wait_until(
        lambda: all(done >= end or not end for done, end in _pairs(committed(settings), wanted)),
        timeout_s,
        lambda: f"orders published up to {committed(settings)} of {wanted}",
    )


def decode(record: Delivered) -> Any:
    """The record's data, checked with the reader's model of its type. Raises ContractError, FieldErrors."""
    from schemas import envelope

    return registry.decode(envelope.parse(list(record.headers.items()), record.value))


def _pairs(done: Mapping[int, int], wanted: Mapping[int, int]) -> list[tuple[int, int]]:
    return [(done[number], end) for number, end in wanted.items()]


def _onlooker(settings: Settings, group: str | None = None) -> Consumer:
    """Asks for offsets, joins no group."""
    named = group or f"{settings.prefix}test-onlooker"
    return Consumer({**settings.kafka_admin, "group.id": named, "enable.auto.commit": False, "log_level": 0})


def _partitions(consumer: Consumer, topics: Sequence[str]) -> list[tuple[str, int]]:
    known = consumer.list_topics(timeout=_TIMEOUT_S).topics
    return [(topic, number) for topic in topics for number in sorted(known[topic].partitions)]


def _read_to_end(consumer: Consumer, partitions: Iterable[tuple[str, int]]) -> list[Delivered]:
    records: dict[tuple[str, int], list[Delivered]] = {partition: [] for partition in partitions}
    unread = set(records)

    def read() -> bool:
        for message in consumer.consume(5_000, 0.2):
            place = (message.topic(), message.partition())
            if message.error() is None:
                headers = dict(message.headers() or [])
                record = Delivered(*place, message.offset(), message.key(), headers, message.value())
                records[place].append(record)
            elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                unread.discard(place)
        return not unread

    wait_until(read, _TIMEOUT_S, lambda: f"no end of {sorted(unread)}", poll_s=0)
    return [record for partition in records.values() for record in partition]
