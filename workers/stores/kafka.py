"""A store that is a compacted Kafka topic of the shop's: a tombstone per key, and a look at the whole log.

A tombstone alone erases nothing yet: until compaction has run, the log still holds earlier values. The look reads the
topic from its beginning and counts every value under a person's key, so `verify` says `present` until they are gone.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, NamedTuple, Self
from uuid import UUID

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition, errors
from pydantic import Field, StringConstraints, model_validator

from workers.settings import Settings
from workers.stores import options as reading
from workers.stores.connector import Left, Misconfigured, Person, Unavailable
from workers.stores.connectors import Surroundings
from workers.stores.directory import Store
from workers.stores.options import Options, What

_PLACE = re.compile(r"\{(email|customer_ref|order_id|shipment_id)\}")
_WRONG = (
    errors.AuthenticationFailedError, errors.ClusterAuthorizationFailedError, errors.SaslAuthenticationFailed,
    errors.TopicAuthorizationFailedError, errors.UnsupportedSaslMechanismError,
)  # fmt: skip


class CompactedTopic(Options):
    """One topic; `key` is a template of the record's key."""

    what: What
    topic: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
    key: str

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if len(_PLACE.findall(self.key)) != 1:
            raise ValueError("key holds exactly one {identifier}")
        return self


class KafkaOptions(Options):
    """The `options` of compacted topics. Without `bootstrap` they are on Lethe's own brokers, with its log-in."""

    topics: Annotated[tuple[CompactedTopic, ...], Field(min_length=1)]
    bootstrap: str | None = None
    timeout_s: float = Field(60, gt=0)


class Value(NamedTuple):
    """A record with a value, and whose it is."""

    topic: str
    partition: int
    key: bytes
    what: str
    refs: tuple[UUID, ...]


def connect(store: Store, surroundings: Surroundings) -> "KafkaStore":
    """The connector of this store. Raises Misconfigured."""
    return KafkaStore(reading.parse(KafkaOptions, store.options), surroundings.settings)


class KafkaStore:
    """Implements `connector.Connector`."""

    def __init__(self, options: KafkaOptions, settings: Settings) -> None:
        self._options = options
        self._client: dict[str, Any] = dict(settings.kafka_client)
        if options.bootstrap is not None:
            self._client = {"bootstrap_servers": options.bootstrap}

    async def check(self) -> list[str]:
        """Reach the topics and count what a look would read."""
        async with self._consumer() as consumer:
            lines = []
            for topic in self._options.topics:
                ends = await consumer.end_offsets(await self._partitions(consumer, topic))
                lines.append(f"{topic.topic}: each look reads up to {sum(ends.values())} records")
        return lines

    async def find(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        """Read every record of the topics: what has a value under a key of theirs is still there."""
        return _counted(await self._values(people))

    async def erase(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        """A tombstone for each key that has a value, in the partition where it has one: producers disagree on that."""
        found = await self._values(people)
        async with self._producer() as producer:
            sent = [
                await producer.send(topic, key=key, value=None, partition=partition)
                for topic, partition, key in dict.fromkeys((one.topic, one.partition, one.key) for one in found)
            ]
            await asyncio.gather(*sent)
        return _counted(found)

    async def close(self) -> None:
        """Each task has a connection of its own."""

    async def _values(self, people: Sequence[Person]) -> list[Value]:
        """Every record that has a value under a key of theirs, up to what is the end now."""
        found: list[Value] = []
        async with self._consumer() as consumer:
            for topic in self._options.topics:
                owners = _owners(topic, people)
                async for record in self._records(consumer, topic):
                    if record.value is not None and record.key in owners:
                        refs = tuple(owners[record.key])
                        found.append(Value(topic.topic, record.partition, record.key, topic.what, refs))
        return found

    async def _records(self, consumer: AIOKafkaConsumer, topic: CompactedTopic) -> AsyncIterator[Any]:
        partitions = await self._partitions(consumer, topic)
        ends = await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        while any([await consumer.position(one) < end for one, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200, max_records=5000)).values():
                for record in records:
                    yield record

    async def _partitions(self, consumer: AIOKafkaConsumer, topic: CompactedTopic) -> list[TopicPartition]:
        numbers = (await consumer._client.fetch_all_metadata()).partitions_for_topic(topic.topic)
        if not numbers:
            raise Misconfigured(f"there is no topic {topic.topic}, or this account may not see it")
        return [TopicPartition(topic.topic, number) for number in sorted(numbers)]

    @asynccontextmanager
    async def _consumer(self) -> Any:
        async with self._connected(
            AIOKafkaConsumer(**self._client, enable_auto_commit=False, isolation_level="read_committed")
        ) as consumer:
            yield consumer

    @asynccontextmanager
    async def _producer(self) -> Any:
        async with self._connected(AIOKafkaProducer(**self._client, enable_idempotence=True)) as producer:
            yield producer

    @asynccontextmanager
    async def _connected(self, client: Any) -> Any:
        try:
            async with asyncio.timeout(self._options.timeout_s):
                await client.start()
                yield client
        except _WRONG as error:
            raise Misconfigured(f"Kafka does not allow it: {type(error).__name__}") from None
        except (errors.KafkaError, OSError, TimeoutError) as error:
            raise Unavailable(f"Kafka did not do it: {type(error).__name__}") from None
        finally:
            await client.stop()


def _owners(topic: CompactedTopic, people: Sequence[Person]) -> dict[bytes, list[UUID]]:
    """Each record key that can be theirs, and whose it is."""
    place = _PLACE.search(topic.key)
    assert place is not None
    owners: dict[bytes, list[UUID]] = {}
    for person in people:
        for value in person.values(place[1]):
            owners.setdefault(topic.key.replace(place[0], value).encode(), []).append(person.subject_ref)
    return owners


def _counted(found: Sequence[Value]) -> dict[UUID, Left]:
    counts: dict[UUID, dict[str, int]] = {}
    for value in found:
        for ref in value.refs:
            theirs = counts.setdefault(ref, {})
            theirs[value.what] = theirs.get(value.what, 0) + 1
    return {ref: Left(theirs) for ref, theirs in counts.items()}
