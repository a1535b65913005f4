"""The plan against a real broker: applied once, a second time nothing, drift mended, nothing deleted."""

import time
from collections.abc import Callable

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its __init__ has no __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)

from tests.support.endpoints import Endpoints
from topics import catalogue, plan
from topics.admin import Admin, TopicsError
from topics.plan import Actual, Change, Create, Delete, GrowPartitions, Notice, SetConfig
from topics.topic import Topic, TopicOverride


class Cluster:
    """Lethe's topics under one prefix of a real broker."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.admin = Admin({"bootstrap.servers": bootstrap})

    def changes(self, *carriers: str, delete: str = "", **overrides: TopicOverride) -> tuple[Change, ...]:
        topics = catalogue.catalogue(self.prefix, carriers, overrides)
        return plan.plan(topics, self.actual(topics), self.prefix, {delete} - {""})

    def apply(self, *carriers: str, delete: str = "", **overrides: TopicOverride) -> None:
        self.admin.apply(self.changes(*carriers, delete=delete, **overrides))

    def actual(self, topics: tuple[Topic, ...] = ()) -> tuple[Actual, ...]:
        return self.admin.read_actual(topic.name for topic in topics)

    def names(self) -> set[str]:
        return {topic.name.removeprefix(self.prefix) for topic in self.actual() if topic.name.startswith(self.prefix)}

    def tamper(self, topic: str, config: str, value: str) -> None:
        entry = ConfigEntry(config, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource("topic", self.prefix + topic)
        resource.add_incremental_config(entry)
        client = AdminClient({"bootstrap.servers": self.bootstrap})
        for future in client.incremental_alter_configs([resource]).values():
            future.result()


@pytest.fixture
def cluster(stack: Endpoints, prefix: str) -> Cluster:
    return Cluster(stack.bootstrap, prefix)


def test_creates_the_catalogue_and_then_has_nothing_to_do(cluster: Cluster) -> None:
    first = cluster.changes("ups", "gls")
    assert {type(change) for change in first} == {Create}
    cluster.admin.apply(first)
    assert cluster.names() == {topic.name for topic in catalogue.catalogue("", ("ups", "gls"))}
    assert cluster.changes("ups", "gls") == ()


def test_applying_the_same_plan_again_does_no_harm(cluster: Cluster) -> None:
    changes = cluster.changes()
    cluster.admin.apply(changes)
    cluster.admin.apply(changes)
    grow = cluster.changes(orders=TopicOverride(partitions=5))
    cluster.admin.apply(grow)
    cluster.admin.apply(grow)
    assert cluster.changes(orders=TopicOverride(partitions=5)) == ()


def test_settings_arrive_as_declared(cluster: Cluster) -> None:
    topics = catalogue.catalogue(cluster.prefix, ["ups"])
    cluster.apply("ups")
    actual = {topic.name: topic for topic in cluster.actual(topics)}
    for topic in topics:
        assert actual[topic.name].partitions == topic.partitions
        assert {key: actual[topic.name].configs[key] for key in topic.all_configs} == topic.all_configs


def test_drift_is_mended_and_what_is_not_declared_stays(cluster: Cluster) -> None:
    cluster.apply()
    cluster.tamper("orders", "retention.ms", "-1")
    cluster.tamper("orders", "flush.messages", "12345")
    _until(lambda: len(cluster.changes()) == 1)
    assert cluster.changes() == (SetConfig(f"{cluster.prefix}orders", "retention.ms", "-1", "604800000"),)
    cluster.apply()
    assert cluster.changes() == ()
    orders = catalogue.catalogue(cluster.prefix)[:1]
    found = next(topic for topic in cluster.actual(orders) if topic.name == f"{cluster.prefix}orders")
    assert found.configs["flush.messages"] == "12345"


def test_partitions_grow_and_never_shrink(cluster: Cluster) -> None:
    cluster.apply(orders=TopicOverride(partitions=2))
    assert cluster.changes() == (GrowPartitions(f"{cluster.prefix}orders", 2, 4),)
    cluster.apply()
    smaller = cluster.changes(orders=TopicOverride(partitions=1))
    assert [type(change) for change in smaller] == [Notice]
    cluster.admin.apply(smaller)
    assert cluster.changes() == ()


def test_nothing_is_deleted_untold(cluster: Cluster) -> None:
    cluster.apply("ups", "gls")
    left = cluster.changes("ups")
    assert [(type(change), change.topic) for change in left] == [
        (Notice, f"{cluster.prefix}carrier.gls.{what}") for what in ("addresses", "receipts")
    ]
    cluster.admin.apply(left)
    assert "carrier.gls.addresses" in cluster.names()
    cluster.apply("ups", delete=f"{cluster.prefix}carrier.gls.addresses")
    assert "carrier.gls.addresses" not in cluster.names()
    assert "carrier.ups.addresses" in cluster.names()


def test_a_prefix_isolates(cluster: Cluster) -> None:
    other = Cluster(cluster.bootstrap, f"{cluster.prefix}b.")
    cluster.apply("ups")
    assert {type(change) for change in other.changes("ups")} == {Create}
    other.apply("ups")
    other.admin.apply([Delete(other.prefix + name) for name in other.names()])
    assert cluster.changes("ups") == ()


def test_a_topic_is_ready_for_use_when_apply_returns(cluster: Cluster) -> None:
    cluster.apply("ups")
    listed = AdminClient({"bootstrap.servers": cluster.bootstrap}).list_topics(timeout=10).topics
    partitions = [
        p for name, topic in listed.items() if name.startswith(cluster.prefix) for p in topic.partitions.values()
    ]
    assert partitions
    assert all(partition.leader >= 0 for partition in partitions)


def test_what_the_broker_refuses_is_one_line_that_names_the_topic(cluster: Cluster) -> None:
    with pytest.raises(TopicsError, match=r"^cannot create .*orders: .*replication factor") as refused:
        cluster.apply(orders=TopicOverride(replication_factor=99))
    assert "\n" not in str(refused.value)


def test_a_broker_that_is_not_there_is_said_so(unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("topics.admin.REQUEST_TIMEOUT_S", 1.0)
    with pytest.raises(TopicsError, match=f"no broker answers at '127.0.0.1:{unused_tcp_port}'"):
        Admin({"bootstrap.servers": f"127.0.0.1:{unused_tcp_port}"}).read_actual()


def _until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
