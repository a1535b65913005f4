"""The catalogue as a whole: names that Kafka takes, personal data that does not stay, one carrier a topic."""

import dataclasses

import pytest

from schemas import registry
from topics import catalogue
from topics.topic import DAY_MS, Topic, TopicOverride, check_name, check_prefix

CARRIERS = ("dhl-express", "ups")
MAX_PLAINTEXT_MS = 30 * DAY_MS


def declared(prefix: str = "", **overrides: TopicOverride) -> dict[str, Topic]:
    return {topic.name: topic for topic in catalogue.catalogue(prefix, CARRIERS, overrides)}


@pytest.fixture(params=declared().values(), ids=lambda topic: topic.name)
def topic(request: pytest.FixtureRequest) -> Topic:
    found: Topic = request.param
    return found


def test_holds_every_topic_of_the_pipeline() -> None:
    assert list(declared()) == [
        "orders",
        "carrier.dhl-express.addresses",
        "carrier.ups.addresses",
        "shipping.dead-letters",
        "relay.positions",
        "consents",
        "newsletter.dead-letters",
        "policies",
        "announcements.dead-letters",
        "requests",
        "requests.dead-letters",
        "confirmations",
        "store-tasks",
        "store-receipts",
        "stores.dead-letters",
        "receipts.dead-letters",
        "ledger",
        "carrier.dhl-express.receipts",
        "carrier.ups.receipts",
        "carrier_receipts.dead-letters",
    ]


def test_every_name_takes_the_prefix() -> None:
    assert list(declared("t1.")) == ["t1." + name for name in declared()]


def test_personal_data_has_a_bounded_life_on_disk(topic: Topic) -> None:
    if topic.personal_data == "none":
        return
    configs = topic.all_configs
    assert "delete" in configs["cleanup.policy"]
    assert 0 < int(configs["retention.ms"]) <= MAX_PLAINTEXT_MS
    assert int(configs["segment.ms"]) < DAY_MS, "an open segment is neither trimmed nor compacted"
    if "compact" in configs["cleanup.policy"]:
        assert int(configs["max.compaction.lag.ms"]) < DAY_MS


def test_a_withdrawal_outlives_the_address_it_withdraws() -> None:
    configs = declared()["carrier.ups.addresses"].all_configs
    assert int(configs["delete.retention.ms"]) >= int(configs["retention.ms"])


def test_a_carrier_topic_is_read_by_that_carrier_alone() -> None:
    for name in CARRIERS:
        assert declared()[f"carrier.{name}.addresses"].consume == (f"carrier.{name}",)
    for topic in declared().values():
        if topic.template != catalogue.CARRIER_ADDRESSES:
            assert not any(principal.startswith("carrier.") for principal in topic.consume)


def test_no_topic_is_keyed_by_what_identifies_a_person_directly(topic: Topic) -> None:
    assert topic.key in {
        "customer reference", "shipment id", "dead letter id", "version", "request id", "store", "ledger entry",
        "carrier", "none",
    }  # fmt: skip


def test_the_broker_stamps_every_record(topic: Topic) -> None:
    assert topic.all_configs["message.timestamp.type"] == "LogAppendTime"


def test_every_topic_says_what_it_is_for(topic: Topic) -> None:
    assert topic.description.endswith(".")


def test_each_event_of_the_contract_has_its_topic_and_no_topic_names_another() -> None:
    by_contract: dict[str, set[str]] = {}
    for spec in registry.EVENTS.values():
        template = spec.topic.replace("{carrier}", "<name>")
        for worker in ("shipping", "carrier_receipts", "newsletter", "announcements", "requests", "stores", "receipts"):
            by_contract.setdefault(template.replace("{worker}", worker), set()).add(spec.type)
    by_catalogue = {topic.template: set(topic.events) for topic in declared().values() if topic.events}
    assert by_catalogue == by_contract


def test_topics_cannot_be_altered_in_place(topic: Topic) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        topic.partitions = 99  # type: ignore[misc]  # the point of the test
    with pytest.raises(TypeError):
        topic.configs["retention.ms"] = "1"  # type: ignore[index]  # the point of the test


def test_an_override_changes_what_it_names_and_nothing_else() -> None:
    plain = declared()["orders"]
    mine = declared(orders=TopicOverride(partitions=12, retention_ms=DAY_MS, configs={"segment.ms": "1000"}))["orders"]
    assert (mine.partitions, mine.retention_ms, mine.all_configs["segment.ms"]) == (12, DAY_MS, "1000")
    assert mine.all_configs["max.message.bytes"] == plain.all_configs["max.message.bytes"]
    assert mine.personal_data == plain.personal_data


def test_orders_may_belong_to_others() -> None:
    assert declared()["orders"].ownership == "own"
    assert declared(orders=TopicOverride(ownership="shared"))["orders"].ownership == "shared"


def test_one_carrier_may_differ_from_all_carriers() -> None:
    overrides = {
        "carrier.<name>.addresses": TopicOverride(partitions=3, retention_ms=DAY_MS),
        "carrier.ups.addresses": TopicOverride(partitions=9),
    }
    topics = {topic.name: topic for topic in catalogue.catalogue("t1.", CARRIERS, overrides)}
    assert topics["t1.carrier.dhl-express.addresses"].partitions == 3
    assert topics["t1.carrier.ups.addresses"].partitions == 9
    assert topics["t1.carrier.ups.addresses"].retention_ms == DAY_MS


@pytest.mark.parametrize("config", ["cleanup.policy", "retention.ms"])
def test_an_override_cannot_go_round_the_contract(config: str) -> None:
    with pytest.raises(ValueError, match=config):
        declared(orders=TopicOverride(configs={config: "1"}))


def test_an_override_for_no_topic_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="unknown topic 'order'"):
        declared(order=TopicOverride(partitions=1))


@pytest.mark.parametrize("carrier", ["DHL", "", "d.h.l", "a@example.com", "1st", "x" * 33])
def test_a_carrier_is_a_slug(carrier: str) -> None:
    with pytest.raises(ValueError, match="slug"):
        catalogue.catalogue("", [carrier])


@pytest.mark.parametrize("prefix", ["", "t1.", "shop-", "eu_west_", "a.b."])
def test_a_prefix_ends_in_a_separator(prefix: str) -> None:
    assert check_prefix(prefix) == prefix


@pytest.mark.parametrize("prefix", ["lethe", ".", "a b.", "é.", "-x."])
def test_a_prefix_that_could_claim_others_topics_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        check_prefix(prefix)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "commande-é", "x" * 250])
def test_kafka_would_refuse(name: str) -> None:
    with pytest.raises(ValueError, match="topic name"):
        check_name(name)


def test_the_longest_prefix_counts_towards_the_name() -> None:
    with pytest.raises(ValueError, match="249"):
        declared("p" * 240 + ".")


def test_segments_with_personal_data_close_when_a_deployment_says_so() -> None:
    overrides = {"orders": TopicOverride(partitions=12), "consents": TopicOverride(configs={"segment.ms": "7"})}
    topics = declared(**catalogue.with_segments(overrides, 5000))
    assert {name for name, topic in topics.items() if topic.personal_data != "none"} == {
        name for name, topic in topics.items() if topic.all_configs.get("segment.ms") in {"5000", "7"}
    }
    assert topics["orders"].partitions == 12
    assert topics["consents"].all_configs["segment.ms"] == "7", "what is set for one topic wins"
    assert topics["carrier.ups.addresses"].all_configs["max.compaction.lag.ms"] == "5000"
