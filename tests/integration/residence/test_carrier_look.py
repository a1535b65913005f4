"""A carrier topic counts as compacted when no value with the withdrawn keys can be read there any more."""

import time
import uuid

import pytest
from confluent_kafka import Producer

from deploy.local.stack import Stack
from tests.support import lethe
from tests.support.waiting import wait_until
from topics.catalogue import ROLLER_KEY
from workers.errors import Retry
from workers.residence.carrier_look import CarrierLook
from workers.scan import scanner
from workers.settings import Settings

SEGMENT_MS = 1000
SHIPMENTS = [f"o-{number}" for number in range(200)]
ERASED = SHIPMENTS[:100]


@pytest.fixture
def settings(own_stack: Stack, prefix: str) -> Settings:
    """Topics only, with short segments."""
    made = Settings.model_validate(
        {
            "prefix": prefix, "kafka_bootstrap": own_stack.bootstrap, "segment_ms": SEGMENT_MS,
            "carrier_partitions": 2, "carriers_dir": lethe.ROOT / "deploy/carriers",
        }
    )  # fmt: skip
    lethe.create_topics(made)
    return made


@pytest.fixture
def topic(settings: Settings) -> str:
    return settings.topic("carrier.gls.addresses")


@pytest.fixture
def producer(settings: Settings) -> Producer:
    """Transactional, as whatever writes to a carrier is."""
    made = Producer({**settings.kafka_admin, "transactional.id": f"{settings.prefix}test", "log_level": 0})
    made.init_transactions()
    return made


def write(producer: Producer, topic: str, records: dict[str, str | None], abort: bool = False) -> None:
    producer.begin_transaction()
    for key, value in records.items():
        producer.produce(topic, value, key)
    producer.flush()
    (producer.abort_transaction if abort else producer.commit_transaction)()


def roll(settings: Settings, topic: str) -> None:
    """What closes the segments of an idle topic."""
    plain = Producer({**settings.kafka_admin, "log_level": 0})
    for partition in range(2):
        plain.produce(topic, None, ROLLER_KEY, partition)
    plain.flush()


def left(settings: Settings, topic: str, keys: list[str]) -> set[str]:
    groups = {number: {topic: [key]} for number, key in enumerate(keys)}
    return {keys[number] for number in lethe.in_a_loop(CarrierLook(settings).left(groups))}


def gone(settings: Settings, topic: str, keys: list[str]) -> None:
    time.sleep(SEGMENT_MS / 1000 + 0.5)
    roll(settings, topic)
    wait_until(lambda: not left(settings, topic, keys), 60, lambda: f"left: {len(left(settings, topic, keys))}")


def test_withdrawn_addresses_are_seen_until_they_are_compacted_away_and_others_stay(
    own_stack: Stack, settings: Settings, topic: str, producer: Producer
) -> None:
    names = {key: f"Planted-{uuid.uuid4().hex}" for key in SHIPMENTS}
    write(producer, topic, dict(names))
    write(producer, topic, dict.fromkeys(ERASED))
    assert left(settings, topic, ERASED) == set(ERASED), "a tombstone is no absence"
    gone(settings, topic, ERASED)

    folders = [one for one in (own_stack.data_dir / "kafka/data").iterdir() if one.name.startswith(topic)]

    def found(keys: list[str]) -> int:
        return len({one.token for one in scanner.scan([names[key] for key in keys], folders).findings})

    wait_until(lambda: found(ERASED) == 0, 30, "the replaced files are deleted", poll_s=0.5)
    assert found(SHIPMENTS[100:]) == 100
    read = {record.key: record.value for record in lethe.read_topics(settings, ["carrier.gls.addresses"])}
    assert [key for key in SHIPMENTS[100:] if read[key.encode()] != names[key].encode()] == []
    assert left(settings, topic, SHIPMENTS) == set(SHIPMENTS[100:])


def test_an_address_of_an_aborted_transaction_is_seen_too(settings: Settings, topic: str, producer: Producer) -> None:
    write(producer, topic, {"o-1": "Planted"}, abort=True)
    assert lethe.read_topics(settings, ["carrier.gls.addresses"]) == []
    assert left(settings, topic, ["o-1", "o-2"]) == {"o-1"}
    write(producer, topic, {"o-1": None})
    gone(settings, topic, ["o-1"])


def test_a_group_is_left_as_long_as_one_of_its_shipments_is(settings: Settings, topic: str, producer: Producer) -> None:
    write(producer, topic, {"o-1": "Planted", "o-2": "Planted", "o-3": None})
    other = settings.topic("carrier.ups.addresses")
    groups = {1: {topic: ["o-3"], other: ["o-1"]}, 2: {other: [], topic: ["o-3", "o-2"]}, 3: {topic: ["o-1", "o-2"]}}
    assert lethe.in_a_loop(CarrierLook(settings).left(groups)) == {2, 3}


def test_a_topic_that_is_not_there_holds_nothing(settings: Settings) -> None:
    assert left(settings, settings.topic("carrier.none.addresses"), ["o-1"]) == set()
    assert lethe.in_a_loop(CarrierLook(settings).left({})) == set()


def test_brokers_that_do_not_answer_are_no_absence(settings: Settings) -> None:
    away = settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:9"})
    away.__dict__.pop("kafka_admin", None)
    with pytest.raises(Retry, match="cannot be read"):
        left(away, settings.topic("carrier.gls.addresses"), ["o-1"])
