"""The servers that a run works on, and what it asks of them: topics, databases, offsets."""

import asyncio
import logging
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import asyncpg
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # no __all__

from deploy.local.stack import Stack
from topics import catalogue, plan
from topics.admin import Admin
from topics.topic import Topic
from workers.db import migrate
from workers.domain.carriers import Carrier
from workers.vault import keyring

_READ_RECORDS = 10_000
_READ_TIMEOUT_S = 30.0


# librdkafka would write its view of lost connections to standard error, when the servers end before it does.
QUIET = logging.getLogger("bench.librdkafka")
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False


class BenchError(Exception):
    """The run is worth nothing. The text is one line and says what happened."""


@dataclass(frozen=True)
class Site:
    """One embedded stack, its carriers, and a directory for logs and keys."""

    stack: Stack
    data_dir: Path
    carriers_dir: Path
    carriers: Mapping[str, Carrier]
    _offsets: dict[str, Consumer] = field(default_factory=dict)

    @property
    def keyring_dir(self) -> Path:
        """The one keyring of the run."""
        return self.data_dir / "keyring"

    @cached_property
    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.stack.bootstrap}, logger=QUIET)

    def create_topics(self, prefix: str, only: Collection[str] = ()) -> dict[str, str]:
        """Create the topics of the catalogue under `prefix`, or those whose template is in `only`.

        Returns the carriers' topics, whether they were among them or not.
        """
        declared: Iterable[Topic] = catalogue.catalogue(prefix, self.carriers)
        wanted = [topic for topic in declared if not only or topic.template in only]
        admin = Admin({"bootstrap.servers": self.stack.bootstrap})
        admin.apply(plan.pending(plan.plan(wanted, (), prefix)))
        return {name: catalogue.carrier_addresses(prefix, name) for name in self.carriers}

    def delete_topics(self, prefix: str) -> None:
        """Delete every topic under `prefix`, so that the broker does not clean up behind our back later."""
        names = [name for name in self._admin.list_topics(timeout=10).topics if name.startswith(prefix)]
        if names:
            for future in self._admin.delete_topics(names).values():
                future.result()

    def create_database(self, name: str, migrated: bool) -> str:
        """A fresh database; returns its DSN. `migrated`: with Lethe's tables. Ends with a checkpoint."""
        self.stack.postgres.drop_database(name)
        dsn = self.stack.postgres.create_database(name)
        asyncio.run(self._prepare_database(dsn, migrated))
        return dsn

    def drop_database(self, name: str) -> None:
        """Drop it, ending whoever is connected."""
        self.stack.postgres.drop_database(name)

    async def _prepare_database(self, dsn: str, migrated: bool) -> None:
        connection = await asyncpg.connect(dsn)
        try:
            if migrated:
                await migrate.apply(connection)
                await migrate.record_keyring(connection, keyring.load(self.keyring_dir))
            await connection.execute("checkpoint")
        finally:
            await connection.close()

    def committed(self, group: str, topic: str, partitions: int) -> int:
        """The sum of a group's committed offsets; 0 while the group's coordinator does not say."""
        consumer = self._offsets.get(group)
        if consumer is None:
            # read_uncommitted: the last committed offset at once, not after the transaction that is under way
            options = {"group.id": group, "isolation.level": "read_uncommitted"}
            consumer = self._offsets[group] = Consumer(
                {"bootstrap.servers": self.stack.bootstrap} | options, logger=QUIET
            )
        asked = [TopicPartition(topic, number) for number in range(partitions)]
        try:
            return sum(max(0, found.offset) for found in consumer.committed(asked, timeout=10))
        except KafkaException:  # the coordinator is being chosen; who waits for progress gives up in time
            return 0

    def close_group(self, group: str) -> None:
        """Let go of the connection that asked for a group's offsets."""
        consumer = self._offsets.pop(group, None)
        if consumer is not None:
            consumer.close()

    def end_offsets(self, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """The offset after the last record of each partition."""
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # confluent_kafka has few types
        asked = {TopicPartition(*partition): latest for partition in partitions}
        found = self._admin.list_offsets(asked, request_timeout=10)
        return {(where.topic, where.partition): future.result().offset for where, future in found.items()}

    def read_keys(self, topics: Iterable[str], partitions: int) -> list[bytes]:
        """The key of every committed record in `topics`. Raises BenchError where one is not an address."""
        options = {
            "group.id": "bench.verify",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "queued.max.messages.kbytes": 65536,
        }
        wanted = [(topic, number) for topic in topics for number in range(partitions)]
        consumer = Consumer({"bootstrap.servers": self.stack.bootstrap} | options, logger=QUIET)
        try:
            consumer.assign([TopicPartition(*where, 0) for where in wanted])
            return _read_to_ends(consumer, len(wanted))
        finally:
            consumer.close()


def _read_to_ends(consumer: Consumer, partitions: int) -> list[bytes]:
    """Read until the consumer has met the end of so many partitions."""
    keys: list[bytes] = []
    ended: set[tuple[str | None, int | None]] = set()
    deadline_s = time.monotonic() + _READ_TIMEOUT_S
    while len(ended) < partitions:
        for message in consumer.consume(_READ_RECORDS, 0.2):
            error, key = message.error(), message.key()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                ended.add((message.topic(), message.partition()))
            elif error is not None or key is None or message.value() is None:
                raise BenchError(f"an output topic cannot be read: {error or 'a record that is no address'}")
            else:
                keys.append(key)
                deadline_s = time.monotonic() + _READ_TIMEOUT_S
        if time.monotonic() > deadline_s:
            raise BenchError("an output topic could not be read to its end")
    return keys
