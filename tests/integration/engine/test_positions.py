"""What a worker does when the log, the group's offset or the database no longer is what it was: it stops with a
reason that says what to do, publishes nothing wrong, and doing what it says lets it go on.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.support import lethe, orders
from tests.support.endpoints import Endpoints
from tests.support.waiting import wait_until
from tests.support.worker_process import WorkerProcess, worker_process
from workers.engine.exit import EXIT_STOPPED
from workers.settings import Settings


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path) -> Settings:
    """One partition of orders; a group may be joined again two seconds after `kill -9`."""
    return lethe.prepare(
        stack, prefix, database, tmp_path, orders_partitions=1, session_timeout_s=2.0, batch_max_records=5
    )


@pytest.fixture
def admin(settings: Settings) -> AdminClient:
    return AdminClient(settings.kafka_admin)


def applied(settings: Settings, numbers: Sequence[int]) -> None:
    """These orders were published and forwarded; no worker runs any more."""
    publish(settings, numbers)
    with worker_process(settings):
        lethe.wait_drained(settings)


def publish(settings: Settings, numbers: Sequence[int]) -> None:
    lethe.publish(settings, [orders.placed(f"o{number}", f"c{number}") for number in numbers])


def forwarded(settings: Settings) -> list[str]:
    return [record.shipment_id for record in lethe.read_carriers(settings, ["gls"])]


def named(numbers: Sequence[int]) -> list[str]:
    return [f"o{number}" for number in numbers]


def stopped(settings: Settings, log: Path, workers: Sequence[str] = ("shipping",)) -> str:
    """What a worker says that must stop by itself."""
    with worker_process(settings, workers, log, ready=False) as worker:
        assert worker.wait() == EXIT_STOPPED, worker.log[-2000:]
        return worker.log


def execute(settings: Settings, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
        await connection.execute(statement)
        await connection.close()

    asyncio.run(run())


def trim(admin: AdminClient, settings: Settings, before: int) -> None:
    """As retention does that was set too short."""
    at = TopicPartition(settings.topic("orders"), 0, before)
    for done in admin.delete_records([at]).values():
        done.result(30)


def set_published(admin: AdminClient, settings: Settings, offset: int) -> None:
    """Moves the group's offset, as `kafka-consumer-groups --reset-offsets` does. The group must be empty first."""
    moved = [TopicPartition(settings.topic("orders"), 0, offset)]

    def move() -> bool:
        asked = [ConsumerGroupTopicPartitions(settings.group("shipping"), moved)]
        try:
            for done in admin.alter_consumer_group_offsets(asked).values():
                done.result(30)
        except KafkaException:
            return False
        return lethe.committed(settings) == {0: offset}

    wait_until(move, 60, "the group's offset was moved")


def forget_group(admin: AdminClient, settings: Settings) -> None:
    """As a broker does after `offsets.retention.minutes` without a member."""
    group = settings.group("shipping")

    def forget() -> bool:
        with suppress(KafkaException):
            admin.delete_consumer_groups([group])[group].result(30)
        return lethe.committed(settings) == {0: -1001}

    wait_until(forget, 60, "the group was forgotten")


def goes_on(settings: Settings, wanted: Sequence[str]) -> WorkerProcess:
    with worker_process(settings) as worker:
        lethe.wait_drained(settings)
        assert forwarded(settings) == wanted
        return worker


def test_a_log_trimmed_behind_the_position_is_no_reason_to_stop(settings: Settings, admin: AdminClient) -> None:
    applied(settings, range(10))
    trim(admin, settings, 10)
    publish(settings, range(10, 15))
    goes_on(settings, named(range(15)))


def test_a_log_trimmed_beyond_the_position_stops_the_worker(
    settings: Settings, admin: AdminClient, tmp_path: Path
) -> None:
    applied(settings, range(10))
    publish(settings, range(10, 20))
    trim(admin, settings, 15)

    told = stopped(settings, tmp_path / "stopped.log")
    assert "PositionBelowLog" in told
    assert "the next record to apply is 10, but the log begins at 15" in told
    assert forwarded(settings) == named(range(10)), "nothing is skipped by itself"

    execute(settings, "update positions set next_offset = 15")
    goes_on(settings, named([*range(10), *range(15, 20)]))


def test_a_topic_created_anew_stops_the_worker(settings: Settings, admin: AdminClient, tmp_path: Path) -> None:
    applied(settings, range(10))
    topic = settings.topic("orders")
    admin.delete_topics([topic])[topic].result(30)
    wait_until(lambda: topic not in admin.list_topics(timeout=30).topics, 60, "the topic is gone")
    lethe.create_topics(settings)
    publish(settings, range(10, 15))

    told = stopped(settings, tmp_path / "stopped.log")
    assert "PositionUnknown" in told
    assert "the stored position 10 lies behind the end of the log (5)" in told

    execute(settings, "delete from positions")
    goes_on(settings, named(range(15)))


def test_a_database_older_than_what_was_published_stops_the_worker(settings: Settings, tmp_path: Path) -> None:
    applied(settings, range(10))
    execute(settings, "update positions set next_offset = 5")  # a backup has been restored

    told = stopped(settings, tmp_path / "stopped.log")
    assert "PositionUnknown" in told
    assert "everything before 10 was published, the database has applied only up to 5" in told
    assert forwarded(settings) == named(range(10))


def test_an_offset_moved_back_publishes_nothing_twice(settings: Settings, admin: AdminClient) -> None:
    """A worker that ended in order left nothing in the outbox, so there is nothing to publish again."""
    applied(settings, range(10))
    set_published(admin, settings, 3)
    publish(settings, range(10, 15))
    goes_on(settings, named(range(15)))


def test_a_forgotten_group_starts_where_the_database_stands(settings: Settings, admin: AdminClient) -> None:
    applied(settings, range(10))
    forget_group(admin, settings)
    publish(settings, range(10, 15))
    goes_on(settings, named(range(15)))


def test_a_forgotten_group_with_batches_in_the_outbox_stops_the_worker(
    settings: Settings, admin: AdminClient, tmp_path: Path
) -> None:
    publish(settings, range(5))
    with worker_process(
        settings, log=tmp_path / "killed.log", crash_at="lane.before_kafka_commit:1", ready=False
    ) as killed:
        killed.wait()
    forget_group(admin, settings)

    told = stopped(settings, tmp_path / "stopped.log")
    assert "PositionUnknown" in told
    assert "If not, commit offset 0 for the group, else 5" in told
    assert forwarded(settings) == []

    set_published(admin, settings, 0)
    goes_on(settings, named(range(5)))


def test_a_database_older_than_what_the_relay_published_stops_the_relay(
    settings: Settings, admin: AdminClient, tmp_path: Path
) -> None:
    published = ConsumerGroupTopicPartitions(
        settings.group("relay"), [TopicPartition(settings.topic("relay.positions"), 0, 7)]
    )
    for done in admin.alter_consumer_group_offsets([published]).values():
        done.result(30)
    told = stopped(settings, tmp_path / "stopped.log", ["relay"])
    assert "Kafka says that 7 batches of the relay's shard 0 were published, the database knows 0" in told
    assert "lethe restore" in told
