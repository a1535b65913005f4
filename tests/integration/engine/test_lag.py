"""Lag read from a real broker: messages and seconds, past transaction markers, without touching the group."""

import asyncio
import time

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.support.endpoints import Endpoints
from topics import catalogue, plan
from topics.admin import Admin
from topics.topic import TopicOverride
from workers.engine.lag import read_lag
from workers.engine.lag_search import PartitionLag


class Log:
    """Topics under a test's prefix, with what the tests do to them."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.connection = {"bootstrap_servers": bootstrap}
        self.prefix = prefix
        self.group = f"{prefix}reader"
        self.orders = f"{prefix}orders"
        self.addresses = f"{prefix}carrier.ups.addresses"

    async def publish(self, topic: str, count: int = 1, partition: int = 0) -> None:
        async with AIOKafkaProducer(**self.connection) as producer:
            for _ in range(count):
                await producer.send_and_wait(topic, b"{}", b"key", partition=partition)

    def transactional(self, name: str) -> AIOKafkaProducer:
        return AIOKafkaProducer(**self.connection, transactional_id=f"{self.prefix}{name}")

    async def publish_in_transaction(self, count: int = 1, abort: bool = False) -> None:
        async with self.transactional("one") as producer:
            await producer.begin_transaction()
            for _ in range(count):
                await producer.send_and_wait(self.addresses, b"{}", b"key", partition=0)
            await (producer.abort_transaction() if abort else producer.commit_transaction())

    async def commit(self, topic: str, offset: int, partition: int = 0, group: str = "") -> None:
        consumer = AIOKafkaConsumer(**self.connection, group_id=group or self.group, enable_auto_commit=False)
        async with consumer:
            tp = TopicPartition(topic, partition)
            consumer.assign([tp])
            await consumer.commit({tp: offset})

    async def read(self, peek: bool = False) -> dict[tuple[str, int], PartitionLag]:
        rows = await read_lag(self.connection, [self.group], self.prefix, peek)
        return {(row.topic, row.partition): row for row in rows}


TOLERANCE_S = 0.4  # the search ends when it knows the age well enough


@pytest.fixture
def log(stack: Endpoints, prefix: str) -> Log:
    one = TopicOverride(partitions=1)
    topics = catalogue.catalogue(prefix, ["ups"], {"orders": TopicOverride(partitions=2), "carrier.ups.addresses": one})
    admin = Admin({"bootstrap.servers": stack.bootstrap})
    admin.apply(plan.plan(topics, [], prefix))
    return Log(stack.bootstrap, prefix)


async def test_a_group_that_has_read_all_is_not_behind(log: Log) -> None:
    await log.publish(log.orders, 3)
    await log.commit(log.orders, 3)
    row = (await log.read())[log.orders, 0]
    assert row == PartitionLag(log.group, log.orders, 0, committed=3, end=3, lag=0, lag_seconds=0.0)


async def test_seconds_are_the_age_of_the_oldest_unread_message(log: Log) -> None:
    await log.publish(log.orders, 2)
    await asyncio.sleep(1.5)
    began = time.time()
    await log.publish(log.orders)
    written = time.time()
    await asyncio.sleep(0.5)
    await log.publish(log.orders, 2)
    await log.commit(log.orders, 2)
    asked = time.time()
    row = (await log.read())[log.orders, 0]
    assert (row.committed, row.end, row.lag) == (2, 5, 3)
    assert asked - written - TOLERANCE_S < row.lag_seconds < time.time() - began + TOLERANCE_S


async def test_a_partition_without_a_commit_counts_from_its_start(log: Log) -> None:
    await log.publish(log.orders, 1, partition=0)
    await log.publish(log.orders, 4, partition=1)
    await log.commit(log.orders, 1, partition=0)
    rows = await log.read()
    assert rows[log.orders, 0].lag == 0
    assert (rows[log.orders, 1].committed, rows[log.orders, 1].lag) == (None, 4)
    assert rows[log.orders, 1].lag_seconds > 0


async def test_a_trailing_transaction_marker_is_not_lag(log: Log) -> None:
    await log.publish_in_transaction(3)
    await log.commit(log.addresses, 3)
    row = (await log.read())[log.addresses, 0]
    assert (row.committed, row.end) == (3, 4), "the marker is there"
    assert (row.lag, row.lag_seconds) == (0, 0.0)


async def test_one_unread_address_is_lag(log: Log) -> None:
    await log.publish_in_transaction(3)
    await log.commit(log.addresses, 2)
    row = (await log.read())[log.addresses, 0]
    assert row.lag > 0
    assert row.lag_seconds > 0


async def test_a_marker_before_a_pause_does_not_age_what_comes_after(log: Log) -> None:
    await log.publish_in_transaction()
    await asyncio.sleep(3)
    await log.commit(log.addresses, 1)
    began = time.time()
    await log.publish_in_transaction()
    row = (await log.read())[log.addresses, 0]
    assert row.lag_seconds < time.time() - began + TOLERANCE_S


async def test_what_an_open_transaction_holds_back_is_not_lag_yet(log: Log) -> None:
    await log.publish_in_transaction()
    await log.commit(log.addresses, 1)
    async with log.transactional("open") as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(log.addresses, b"{}", b"key", partition=0)
        row = (await log.read())[log.addresses, 0]
        await producer.abort_transaction()
    assert (row.end, row.lag, row.lag_seconds) == (2, 0, 0.0)


@pytest.fixture
async def crossed(log: Log) -> Log:
    """Two transactions that end together, then an aborted one: records follow offset 2, none to read."""
    async with log.transactional("a") as first, log.transactional("b") as second:
        await first.begin_transaction()
        await second.begin_transaction()
        await first.send_and_wait(log.addresses, b"{}", b"key", partition=0)
        await second.send_and_wait(log.addresses, b"{}", b"key", partition=0)
        await first.commit_transaction()
        await second.commit_transaction()
    await log.publish_in_transaction(abort=True)
    await log.commit(log.addresses, 2)
    return log


async def test_without_a_look_several_trailing_markers_pass_for_lag(crossed: Log) -> None:
    assert (await crossed.read())[crossed.addresses, 0].lag == 4


async def test_a_peek_tells_markers_and_aborted_records_from_lag(crossed: Log) -> None:
    row = (await crossed.read(peek=True))[crossed.addresses, 0]
    assert (row.committed, row.lag, row.lag_seconds) == (2, 0, 0.0)


async def test_a_peek_finds_the_first_unread_record(crossed: Log) -> None:
    await crossed.publish_in_transaction()
    row = (await crossed.read(peek=True))[crossed.addresses, 0]
    assert row.lag == 2, "the record and its marker"
    assert 0 < row.lag_seconds < 2


async def test_all_groups_on_the_topics_of_the_prefix_and_no_other(log: Log) -> None:
    elsewhere = f"{log.prefix}b.orders"
    await log.publish(log.orders)
    await log.commit(log.orders, 0)
    await log.commit(log.orders, 1, group="anyone")
    await log.commit(f"{log.prefix}relay.positions", 5)
    rows = await read_lag(log.connection, None, log.prefix)
    assert {(row.group, row.topic) for row in rows} == {(log.group, log.orders), ("anyone", log.orders)}
    assert await read_lag(log.connection, None, f"{log.prefix}b.") == []
    assert elsewhere not in {row.topic for row in rows}


async def test_an_unknown_group_has_no_rows(log: Log) -> None:
    assert await read_lag(log.connection, [f"{log.prefix}nobody"], log.prefix) == []


async def test_reading_changes_nothing_for_the_group(log: Log) -> None:
    await log.publish(log.orders, 2)
    await log.commit(log.orders, 1)
    before = await log.read(peek=True)
    after = await log.read(peek=True)
    assert [row.committed for row in before.values()] == [row.committed for row in after.values()]
