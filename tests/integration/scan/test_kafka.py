"""What real Kafka writes is found whatever codec its batches have, and while its files are on their way out."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from deploy.local.stack import Stack
from tests.support.waiting import wait_until
from workers.scan.scanner import Finding, scan

PADDING = b"the same again and again " * 200


@pytest.fixture
def admin(own_stack: Stack) -> AdminClient:
    return AdminClient({"bootstrap.servers": own_stack.bootstrap, "log_level": 0})


@pytest.fixture
def token() -> str:
    return f"Quixomatl-{uuid.uuid4().hex}"


@pytest.fixture
def topic(admin: AdminClient) -> Iterator[str]:
    name = f"scan-{uuid.uuid4().hex[:8]}"
    create(admin, name)
    yield name
    if name in admin.list_topics(timeout=10).topics:
        admin.delete_topics([name])[name].result(30)


def create(admin: AdminClient, name: str, **configs: str) -> None:
    settings = {"file.delete.delay.ms": "30000", **{key.replace("_", "."): value for key, value in configs.items()}}
    admin.create_topics([NewTopic(name, 1, 1, config=settings)])[name].result(30)
    wait_until(lambda: name in admin.list_topics(timeout=10).topics, 30, "the topic is there")


def publish(stack: Stack, topic: str, *values: bytes, codec: str = "none", key: bytes | None = None) -> None:
    """Each call makes batches of its own."""
    producer = Producer(
        {"bootstrap.servers": stack.bootstrap, "compression.type": codec, "linger.ms": 50, "log_level": 0}
    )
    for value in values:
        producer.produce(topic, value, key)
    assert producer.flush(30) == 0


def look(stack: Stack, topic: str, token: str) -> list[Finding]:
    folders = [one for one in (stack.data_dir / "kafka" / "data").iterdir() if one.name.startswith(topic)]
    report = scan([token], folders)
    assert report.unread == ()
    return [one for one in report.findings if "snapshot" not in one.what]


def test_a_record_that_is_not_compressed_is_found_at_its_place(own_stack: Stack, topic: str, token: str) -> None:
    publish(own_stack, topic, b"before", token.encode())
    [finding] = look(own_stack, topic, token)
    assert (finding.what, finding.form) == ("Kafka segment", "UTF-8")
    assert Path(finding.path).read_bytes()[finding.offset :].startswith(token.encode())


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_a_compressed_batch_is_unpacked(own_stack: Stack, topic: str, token: str, codec: str) -> None:
    publish(own_stack, topic, b"a batch before", b"of two records")
    publish(own_stack, topic, PADDING, PADDING + token[:20].encode() + token[20:].encode() + PADDING, codec=codec)
    publish(own_stack, topic, PADDING + token.lower().encode(), codec=codec)
    findings = look(own_stack, topic, token)
    named = [one for one in findings if f"({codec})" in one.what]
    assert [one.form for one in named] == ["UTF-8", "UTF-8, other case"]
    assert all(one.what.startswith("Kafka segment, record batch at") for one in named)


def test_what_is_trimmed_is_found_until_its_segment_has_left_the_disk(
    own_stack: Stack, admin: AdminClient, token: str
) -> None:
    name = f"scan-{uuid.uuid4().hex[:8]}"
    create(admin, name, segment_ms="1000", file_delete_delay_ms="8000")
    publish(own_stack, name, token.encode())
    admin.delete_records([TopicPartition(name, 0, 1)])[TopicPartition(name, 0)].result(30)
    assert {one.what for one in look(own_stack, name, token)} == {"Kafka segment"}, "trimmed is not gone"
    time.sleep(1.5)
    publish(own_stack, name, b"later")  # closes the segment
    states = set[str]()

    def gone() -> bool:
        found = {one.what for one in look(own_stack, name, token)}
        states.update(found)
        return not found

    wait_until(gone, 60, lambda: f"gone from the disk, seen {states}", poll_s=0.5)
    assert "Kafka segment, deleted" in states


def test_what_was_superseded_is_found_until_it_has_been_compacted_away(
    own_stack: Stack, admin: AdminClient, token: str
) -> None:
    name = f"scan-{uuid.uuid4().hex[:8]}"
    create(
        admin, name, cleanup_policy="compact", segment_ms="1000", max_compaction_lag_ms="1000",
        min_cleanable_dirty_ratio="0.01", file_delete_delay_ms="1000",
    )  # fmt: skip
    other = uuid.uuid4().hex
    publish(own_stack, name, PADDING + token.encode(), key=b"erased", codec="zstd")
    publish(own_stack, name, PADDING + other.encode(), key=b"kept", codec="zstd")
    publish(own_stack, name, b"", key=b"erased")
    assert look(own_stack, name, token)
    time.sleep(1.5)
    publish(own_stack, name, b"later", key=b"roller")
    wait_until(lambda: not look(own_stack, name, token), 60, "compacted away", poll_s=0.5)
    assert look(own_stack, name, other)


def test_a_broken_batch_is_said_and_is_not_clean(own_stack: Stack, topic: str, token: str, tmp_path: Path) -> None:
    publish(own_stack, topic, PADDING + token.encode(), codec="zstd")
    [segment] = (own_stack.data_dir / "kafka" / "data" / f"{topic}-0").glob("*.log")
    content = bytearray(segment.read_bytes())
    content[80:90] = bytes(10)
    (tmp_path / segment.name).write_bytes(content)
    report = scan([token], [tmp_path])
    assert "does not decompress" in report.unread[0].why
    assert not report.is_clean
