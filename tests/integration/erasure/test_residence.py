"""How long the erased can be found on the disk: an idle partition is rolled, others' records are never touched."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection, Iterable
from pathlib import Path

import aiokafka
import asyncpg
import pytest
from aiokafka.errors import KafkaError
from confluent_kafka import Consumer, TopicPartition

from deploy.local import ports
from deploy.local.stack import Stack
from tests.integration.erasure.conftest import WORKERS
from tests.support import lethe
from tests.support.endpoints import Endpoints
from tests.support.erasure import asked, order, rows, states, subscribed
from tests.support.planted import ERASED, PEOPLE, ask, email, name, populate, wait_for
from tests.support.waiting import wait_until
from tests.support.worker_process import worker_process
from topics.admin import Admin
from topics.catalogue import ROLLER_KEY
from topics.plan import SetConfig
from workers.engine import database as database_module
from workers.residence.carrier_look import CarrierLook
from workers.residence.rollers import Rollers
from workers.residence.trimming import Trimmer
from workers.scan import scanner
from workers.settings import Settings
from workers.wiring.requests import inbound

ERASED_NAMES = [name(number) for number in range(ERASED)]
LEFT_BEHIND = ("keyring", "exports", "worker.log")
_ALL_BUT_COMPACTED = """
    select 1 from erasure_rounds join requests using (round_id) join request_stores as s using (request_id)
    where trimmed_at is not null and shredded_at is not null and s.state = 'absent'"""
OTHER_NAMES = [name(number) for number in range(ERASED, PEOPLE)]


@pytest.fixture
def stack(own_stack: Stack) -> Endpoints:
    """Of this module's own: its files are searched."""
    return Endpoints.of(own_stack)


@pytest.fixture
def chosen() -> dict[str, object]:
    return {"segment_ms": 1000}


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    opened = await database_module.connect(settings)
    yield opened
    await opened.close()


def found(names: Collection[str], folders: Iterable[Path]) -> set[int]:
    """Which of the names stand in the files of these folders, by their number from 1."""
    return {one.token for one in scanner.scan(names, folders).findings}


def test_the_erased_leave_the_files_of_kafka_though_nothing_more_comes(
    settings: Settings, tmp_path: Path, own_stack: Stack
) -> None:
    kafka, postgres = own_stack.data_dir / "kafka/data", own_stack.data_dir / "postgres"
    with worker_process(settings, WORKERS):
        populate(settings, tmp_path)
        lethe.wait_drained(settings)
        topics = sorted(kafka.glob(f"{settings.prefix}*"))  # not before: a broker makes the folders one by one
        # A scan is no snapshot: segments are renamed meanwhile, so that one look may miss some.
        seen: set[int] = set()
        wait_until(lambda: seen.update(found(ERASED_NAMES, topics)) or len(seen) == ERASED, 60, lambda: str(seen))
        assert found(ERASED_NAMES, [postgres]) == set(), "sealed"
        wait_for(settings, ask(settings, range(ERASED)), "completed")
        wait_until(
            lambda: not found(ERASED_NAMES, topics),
            120,
            lambda: str({(one.path, one.what) for one in scanner.scan(ERASED_NAMES, topics).findings}),
            poll_s=1,
        )
        # A look that a renamed segment escaped is made up for: it is deleted a second after it was renamed.
        time.sleep(3)
        wait_until(lambda: not found(ERASED_NAMES, topics), 120, lambda: "still there", poll_s=1)
        report = scanner.scan(ERASED_NAMES, [kafka, postgres, *(tmp_path / part for part in LEFT_BEHIND)])
        assert report.is_clean, (report.findings[:3], report.unread[:3])

        records = lethe.read_topics(settings, ["carrier.gls.addresses"])
        values = {record.key: record.value or b"" for record in records}
        others = range(ERASED, PEOPLE)
        assert [n for n in others if name(n).encode() not in values[f"o-{n}".encode()]] == []
        assert ROLLER_KEY in values

        # Lag goes on over rollers, and none of them is parked.
        assert sum(lethe.ends(settings).values()) > PEOPLE
        lethe.wait_drained(settings)
        assert rows(settings, "select count(*) as n from dead_letters")[0]["n"] == 0
        kept: set[int] = set()  # at the carrier, who still needs them
        wait_until(
            lambda: kept.update(found(OTHER_NAMES, topics)) or len(kept) == PEOPLE - ERASED, 60, lambda: str(kept)
        )


@pytest.mark.parametrize("chosen", [{"segment_ms": 1000}], ids=["a group that nobody declared"])
def test_a_topic_that_others_read_is_left_alone_and_the_certificate_says_so(settings: Settings, tmp_path: Path) -> None:
    commit_as_an_outsider(settings)
    check_left_alone(settings, tmp_path)


@pytest.mark.parametrize("chosen", [{"segment_ms": 1000, "orders_shared": True}], ids=["declared"])
def test_a_topic_declared_as_shared_is_left_alone_and_the_certificate_says_so(
    settings: Settings, tmp_path: Path
) -> None:
    check_left_alone(settings, tmp_path)


def commit_as_an_outsider(settings: Settings) -> None:
    """Another program of the shop reads orders too."""
    outsider = Consumer({**settings.kafka_admin, "group.id": f"{settings.prefix}outsider", "log_level": 0})
    try:
        outsider.commit(offsets=[TopicPartition(settings.topic("orders"), 0, 0)], asynchronous=False)
    finally:
        outsider.close()


def check_left_alone(settings: Settings, tmp_path: Path) -> None:
    with worker_process(settings, WORKERS):
        populate(settings, tmp_path)
        wait_for(settings, ask(settings, [0]), "completed")
        wait_until(  # the consents are Lethe's own: trimmed and rolled
            lambda: sum(lethe.ends(settings, "consents").values()) > PEOPLE, 60, "no roller on the consents"
        )
    orders = lethe.read_topics(settings, ["orders"])
    assert len(orders) == PEOPLE
    assert ROLLER_KEY not in {one.key for one in orders}
    assert sum(lethe.ends(settings).values()) == PEOPLE
    (document,) = (json.loads(row["document"]) for row in rows(settings, "select document from certificates"))
    named = {one["topic"]: one for one in document["topics"]}
    shared = named.pop(settings.topic("orders"))
    assert shared["shared"]["retention_days"] == 7
    assert shared["trimmed_at"] is None
    assert [one["shared"] for one in named.values()] == [None] * 2


@pytest.mark.parametrize("chosen", [{"segment_ms": 3_600_000}], ids=["segments stay open"])
def test_no_certificate_before_the_addresses_have_left_the_carriers_topics(settings: Settings, tmp_path: Path) -> None:
    topic = settings.topic("carrier.gls.addresses")

    def left() -> set[int]:
        return lethe.in_a_loop(CarrierLook(settings).left({0: {topic: ["o-0"]}, 1: {topic: ["o-1"]}}))

    with worker_process(settings, WORKERS):
        populate(settings, tmp_path)
        requests = ask(settings, [0])
        wait_until(lambda: rows(settings, _ALL_BUT_COMPACTED), 60, "trimmed, shredded, absent downstream")
        second, event = asked(None, email(0))  # of somebody who is not known any more, but at the carrier
        lethe.publish(settings, [event], "requests")
        requests.append(second)
        wait_until(lambda: len(rows(settings, _ALL_BUT_COMPACTED)) == 2, 60, "the second one too")
        time.sleep(1)
        assert "completed" not in states(settings, requests).values()
        assert rows(settings, "select 1 from certificates") == []
    assert left() == {0, 1}

    short = {"segment.ms": "1000", "max.compaction.lag.ms": "1000"}
    Admin(settings.kafka_admin).apply(SetConfig(topic, name, None, value) for name, value in short.items())
    with worker_process(settings.model_copy(update={"segment_ms": 1000}), WORKERS):
        wait_for(settings, requests, "completed")
    assert left() == {1}
    assert rows(settings, "select 1 from erasure_rounds where withdrawn is not null") == [], "shipments are forgotten"
    documents = [json.loads(row["document"]) for row in rows(settings, "select document from certificates")]
    ((document, carrier),) = [(one, carrier) for one in documents for carrier in one["carriers"]]
    assert document["fenced_at"] < carrier["gone_from_topic_at"] <= document["completed_at"]


async def test_what_was_not_applied_is_never_trimmed(settings: Settings, pool: asyncpg.Pool, tmp_path: Path) -> None:
    with worker_process(settings, WORKERS):
        populate(settings, tmp_path)
        lethe.wait_drained(settings)
    lethe.publish(settings, [order(f"c-{n}", f"o-unread-{n}", name(n), email(n)) for n in range(PEOPLE)])
    trimmer = Trimmer(inbound(settings), pool, settings)
    await trimmer.start()
    try:
        await trimmer.trim()
        assert await trimmer.trim() == 0
    finally:
        await trimmer.stop()
    left = [json.loads(one.value or b"")["order_id"] for one in lethe.read_topics(settings, ["orders"])]
    assert sorted(left) == sorted(f"o-unread-{n}" for n in range(PEOPLE))


async def test_a_partition_that_ends_with_a_roller_is_not_rolled_again(settings: Settings) -> None:
    rollers = Rollers([], settings.model_copy(update={"segment_ms": 1000}))
    topic = settings.topic("consents")

    async def rolled(looks: int) -> int:
        total = 0
        for _ in range(looks):
            rollers._looked_s = 0.0
            total += await rollers.roll([topic])
            await asyncio.sleep(0.1)
        return total

    await rollers.start()
    try:
        assert await rolled(30) == 0, "nothing there, nothing to roll"
        lethe.publish(settings, [subscribed("c-0", email(0))], "consents", partition=0)
        assert await rolled(60) == 1
        lethe.publish(settings, [subscribed("c-0", email(0))], "consents", partition=0)
        assert await rolled(60) == 1
        assert lethe.ends(settings, "consents")[0] == 4
        # A record that came between the look and the roller lies in the segment behind: one more roller.
        lethe.publish(settings, [subscribed("c-0", email(0))], "consents", partition=0)
        await rollers._publish(aiokafka.TopicPartition(topic, 0), 4)
        assert await rolled(60) == 1
    finally:
        await rollers.stop()


async def test_what_could_not_start_can_be_stopped_and_what_has_just_started_too(settings: Settings) -> None:
    nobody = Rollers([], settings.model_copy(update={"kafka_bootstrap": f"127.0.0.1:{ports.choose(1)[0]}"}))
    with pytest.raises(KafkaError):
        await nobody.start()
    await nobody.stop()
    rollers = Rollers([], settings)
    for _ in range(3):
        await rollers.start()
        await rollers.stop()
