"""Each kind of change, and what never happens unasked."""

import json

import pytest

from topics import catalogue, plan
from topics.plan import Actual, Create, Delete, GrowPartitions, Notice, SetConfig
from topics.topic import Topic, TopicOverride

TOPICS = catalogue.catalogue("", ["ups"])
ORDERS = TOPICS[0]
SHARED = catalogue.catalogue("", [], {"orders": TopicOverride(ownership="shared")})[0]


def as_declared(topic: Topic, **differences: object) -> Actual:
    configs = topic.all_configs | {"unclean.leader.election.enable": "false"}
    given = {"name": topic.name, "partitions": topic.partitions, "configs": configs} | differences
    return Actual(**given)  # type: ignore[arg-type]  # the tests give the right ones


def with_config(topic: Topic, **configs: str) -> Actual:
    dotted = {key.replace("_", "."): value for key, value in configs.items()}
    return as_declared(topic, configs=topic.all_configs | dotted)


def test_nothing_to_do_when_the_broker_has_it_all() -> None:
    assert plan.plan(TOPICS, [as_declared(topic) for topic in TOPICS]) == ()


def test_a_missing_topic_is_created_with_every_declared_setting() -> None:
    (change,) = plan.plan([ORDERS], [])
    assert change == Create("orders", 4, None, ORDERS.all_configs)
    assert str(change).startswith("+ create orders: 4 partitions; cleanup.policy=delete, ")
    assert "retention.ms=7 d" in str(change)


def test_a_setting_that_drifted_is_set_back() -> None:
    (change,) = plan.plan([ORDERS], [with_config(ORDERS, retention_ms="-1")])
    assert change == SetConfig("orders", "retention.ms", "-1", "604800000")
    assert str(change) == "~ set orders: retention.ms -1 -> 7 d"


def test_a_setting_that_the_broker_does_not_show_is_set() -> None:
    configs = {key: value for key, value in ORDERS.all_configs.items() if key != "segment.ms"}
    (change,) = plan.plan([ORDERS], [as_declared(ORDERS, configs=configs)])
    assert change == SetConfig("orders", "segment.ms", None, "600000")
    assert str(change) == "~ set orders: segment.ms unset -> 10 min"


def test_settings_that_are_not_declared_are_left_alone() -> None:
    assert plan.plan([ORDERS], [with_config(ORDERS, min_insync_replicas="2")]) == ()


def test_the_order_of_cleanup_policies_does_not_matter() -> None:
    carrier = TOPICS[1]
    assert carrier.cleanup == "compact,delete"
    assert plan.plan([carrier], [with_config(carrier, cleanup_policy="delete, compact")]) == ()


def test_growing_warns_that_keys_move() -> None:
    (change,) = plan.plan([ORDERS], [as_declared(ORDERS, partitions=1)])
    assert change == GrowPartitions("orders", 1, 4)
    assert "1 -> 4 partitions" in str(change)
    assert "order per key is not kept" in str(change)


def test_shrinking_is_only_reported() -> None:
    changes = plan.plan([ORDERS], [as_declared(ORDERS, partitions=8)])
    assert [type(change) for change in changes] == [Notice]
    assert str(changes[0]) == "! orders: has 8 partitions, 4 declared: Kafka cannot take partitions away"
    assert plan.pending(changes) == ()


def test_a_shared_topic_is_neither_created_nor_changed() -> None:
    missing = plan.plan([SHARED], [])
    assert [type(change) for change in missing] == [Notice]
    assert "ask its owner" in str(missing[0])
    assert plan.plan([SHARED], [Actual("orders", 1, {"retention.ms": "-1"})]) == ()


def test_a_name_that_kafka_confuses_with_another_is_not_created() -> None:
    topic = catalogue.catalogue("a.", [])[0]
    (change,) = plan.plan([topic], [Actual("a_orders", 1, {})], "a.")
    assert isinstance(change, Notice)
    assert "'a_orders'" in str(change)


def test_a_topic_that_is_not_declared_any_more_is_reported_and_kept() -> None:
    gone = Actual("carrier.gls.addresses", 2, {})
    changes = plan.plan(TOPICS, [*map(as_declared, TOPICS), gone])
    assert [type(change) for change in changes] == [Notice]
    assert "--delete carrier.gls.addresses" in str(changes[0])


def test_without_prefix_other_peoples_topics_are_not_our_business() -> None:
    others = [Actual(name, 1, {}) for name in ("payments", "__consumer_offsets", "t1.orders", "carrier.x.y.addresses")]
    assert plan.plan(TOPICS, [*map(as_declared, TOPICS), *others]) == ()


def test_a_prefix_isolates() -> None:
    topics = catalogue.catalogue("t1.", [])
    others = [Actual("orders", 1, {}), Actual("t2.orders", 1, {}), Actual("t1.stray", 1, {})]
    (change,) = plan.plan(topics, [*map(as_declared, topics), *others], "t1.")
    assert isinstance(change, Notice)
    assert change.topic == "t1.stray"


def test_deleting_takes_the_exact_name() -> None:
    gone = Actual("carrier.gls.addresses", 2, {})
    (change,) = plan.plan([], [gone], delete={"carrier.gls.addresses"})
    assert change == Delete("carrier.gls.addresses")
    assert "all its records are lost" in str(change)


@pytest.mark.parametrize(
    ("name", "why"),
    [("orders", "declared"), ("carrier.no.addresses", "no such topic"), ("payments", "not a topic of")],
)
def test_deleting_is_refused(name: str, why: str) -> None:
    present = [as_declared(ORDERS), Actual("payments", 1, {})]
    with pytest.raises(ValueError, match=why):
        plan.plan([ORDERS], present, delete={name})


def test_what_adds_comes_before_what_removes_and_notices_come_last() -> None:
    present = [
        with_config(TOPICS[1], retention_ms="1"),
        as_declared(TOPICS[2], partitions=9),
        as_declared(TOPICS[3], partitions=1),
        Actual("carrier.gls.addresses", 1, {}),
    ]
    changes = plan.plan(TOPICS[:4], present, delete={"carrier.gls.addresses"})
    assert [change.kind for change in changes] == [
        "create",
        "set_config",
        "grow_partitions",
        "delete",
        "warning",
    ]


def test_every_change_is_json_with_its_kind_and_topic() -> None:
    changes = plan.plan(TOPICS, [with_config(ORDERS, retention_ms="1")])
    for change in changes:
        data = json.loads(json.dumps(plan.to_json(change)))
        assert data["kind"] == change.kind
        assert data["topic"] == change.topic
    assert plan.to_json(changes[-1]) == {
        "kind": "set_config",
        "topic": "orders",
        "config": "retention.ms",
        "old": "1",
        "new": "604800000",
    }


@pytest.mark.parametrize(
    ("config", "value", "text"),
    [
        ("retention.ms", "604800000", "7 d"),
        ("retention.ms", "-1", "-1"),
        ("segment.ms", "1500", "1500"),
        ("max.message.bytes", "4194304", "4 MiB"),
        ("min.cleanable.dirty.ratio", "0.1", "0.1"),
    ],
)
def test_durations_and_sizes_are_readable(config: str, value: str, text: str) -> None:
    assert plan.readable(config, value) == text
