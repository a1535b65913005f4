"""A compacted topic of the shop, on the real broker: erased is what the log holds no more, not what has a tombstone."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.store import StoreResult
from tests.support import lethe, stores
from tests.support.endpoints import Endpoints
from tests.support.stores import Customer, Desk, customers, desk
from workers.stores import connectors
from workers.stores.connector import Misconfigured
from workers.stores.directory import Store

PEOPLE, OTHERS = customers(3), customers(3, start=50)
SOON = {
    "cleanup.policy": "compact",
    "segment.ms": "200",
    "min.cleanable.dirty.ratio": "0.001",
    "max.compaction.lag.ms": "1000",
    "delete.retention.ms": "0",
}


class Topic:
    """`profiles`: a record per customer."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self.name = name
        self._kafka = {"bootstrap.servers": bootstrap, "log_level": 0}
        topic = NewTopic(name, num_partitions=2, replication_factor=1, config=SOON)
        admin = AdminClient(self._kafka)
        for made in admin.create_topics([topic]).values():
            made.result(30)
        options = {"topics": [{"what": "profiles", "topic": name, "key": "{customer_ref}"}], "bootstrap": bootstrap}
        self.store = stores.store("kafka", options, name="profiles", identifiers=["customer_ref"])

    def plant(self, people: Sequence[Customer]) -> None:
        """A value for each."""
        producer = Producer(self._kafka)
        for person in people:
            producer.produce(self.name, person.email.encode(), person.customer_ref.encode())
        assert producer.flush(30) == 0


@pytest.fixture
async def topic(stack: Endpoints, prefix: str) -> Topic:
    return Topic(stack.bootstrap, f"{prefix}profiles")


@pytest.fixture
async def at(database: str, tmp_path: Path, topic: Topic) -> AsyncIterator[Desk]:
    async with desk(database, tmp_path, topic.store) as made:
        yield made


def outcomes(results: Sequence[StoreResult]) -> list[str]:
    return [one.outcome for one in results]


async def test_a_tombstone_is_no_absence_until_compaction_has_run(topic: Topic, at: Desk) -> None:
    topic.plant([*PEOPLE, *OTHERS, *PEOPLE])
    (found, *_) = await at.ask(topic.store, "find", PEOPLE)
    assert found.counts == {"profiles": 2}, "the older value is there, too"
    assert outcomes(await at.ask(topic.store, "erase", PEOPLE)) == ["erased"] * 3
    seen = outcomes(await at.ask(topic.store, "verify", PEOPLE))
    for number in range(200):
        if seen == ["absent"] * 3:
            break
        topic.plant(customers(4, start=1000 + 4 * number))  # what rolls the open segment
        await asyncio.sleep(0.5)
        seen = outcomes(await at.ask(topic.store, "verify", PEOPLE))
    assert seen == ["absent"] * 3
    assert outcomes(await at.ask(topic.store, "verify", OTHERS)) == ["present"] * 3
    assert outcomes(await at.ask(topic.store, "erase", PEOPLE)) == ["nothing_found"] * 3


async def test_who_is_not_there_gets_no_tombstone(topic: Topic, at: Desk, prefix: str) -> None:
    topic.plant(OTHERS)
    assert outcomes(await at.ask(topic.store, "erase", PEOPLE)) == ["nothing_found"] * 3
    settings = at.world.settings.model_copy(
        update={"kafka_bootstrap": topic.store.options["bootstrap"], "prefix": prefix}
    )
    records = lethe.read_topics(settings, ["profiles"])
    assert len(records) == len(OTHERS)
    assert all(one.value for one in records)


async def test_a_broker_that_is_away_is_asked_again(topic: Topic, at: Desk) -> None:
    away = with_options(topic.store, bootstrap="127.0.0.1:1", timeout_s=1)
    with pytest.raises(AssertionError, match="no receipt: Kafka did not do it: "):
        await at.ask(away, "erase", PEOPLE)


async def test_a_topic_that_is_not_there_is_no_absence(topic: Topic, at: Desk) -> None:
    wrong = with_options(topic.store, topics=[{"what": "profiles", "topic": "nowhere", "key": "{customer_ref}"}])
    connector = connectors.connect(wrong, connectors.Surroundings(at.world.settings))
    with pytest.raises(Misconfigured, match="there is no topic nowhere"):
        await connector.check()
    connector = connectors.connect(topic.store, connectors.Surroundings(at.world.settings))
    assert "each look reads up to" in (await connector.check())[0]


def with_options(store: Store, **changed: object) -> Store:
    return store.model_copy(update={"options": {**store.options, **changed}})
