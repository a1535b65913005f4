"""The later look at carrier topics: whether any address that was withdrawn can still be read there.

A tombstone erases nothing by itself: until compaction has run over both, the log holds the address as well. So the
topic is read from its start to its end, aborted transactions included (read_uncommitted): what no read finds stands in
no segment of the log any more. The files that compaction replaced are deleted `file.delete.delay.ms` later (1 s here).

One read serves any number of shipments; only keys are looked at, and whether there is a value. It ends early once it
has found something of everybody: looks that come too soon are the cheap ones.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from workers.errors import Retry
from workers.settings import Settings

_TIMEOUT_S = 10.0
_BATCH = 10_000
_POLL_S = 0.05  # `consume` waits so long for a full batch, at the end of the topics as well
_QUEUED_KBYTES = 16 * 1024

Withdrawn = Mapping[str, Collection[str]]
"""Shipments by carrier's topic."""
_Wanted = Mapping[str, Mapping[bytes, list[int]]]


class CarrierLook:
    """Looks at Lethe's own brokers; connects anew for each look."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def left(self, withdrawn: Mapping[int, Withdrawn]) -> set[int]:
        """Of these groups of shipments: those of which a value can still be read somewhere.

        A topic that does not exist holds nothing. Raises Retry when the brokers do not answer.
        """
        wanted: dict[str, dict[bytes, list[int]]] = {}
        for group, topics in withdrawn.items():
            for topic, keys in topics.items():
                of_topic = wanted.setdefault(topic, defaultdict(list))
                for key in keys:
                    of_topic[key.encode()].append(group)
        return await asyncio.to_thread(self._left, wanted) if wanted else set()

    def _left(self, wanted: _Wanted) -> set[int]:
        consumer = Consumer(
            {
                **self._settings.kafka_admin,
                "group.id": self._settings.group("residence"),  # required, and never joined
                "isolation.level": "read_uncommitted",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "queued.max.messages.kbytes": _QUEUED_KBYTES,
                "log_level": 0,
            }
        )
        try:
            partitions = _partitions(consumer, wanted)
            if not partitions:
                return set()
            consumer.assign(partitions)
            return _read(consumer, wanted, len(partitions))
        except KafkaException as error:
            raise Retry(f"the carriers' topics cannot be read: {error.args[0].name()}") from None
        finally:
            consumer.close()


def _partitions(consumer: Consumer, topics: Iterable[str]) -> list[TopicPartition]:
    """All of them: where the number of partitions has grown, a key may have been in another one before."""
    known = consumer.list_topics(timeout=_TIMEOUT_S).topics
    return [
        TopicPartition(topic, number, confluent_kafka.OFFSET_BEGINNING)
        for topic in topics
        if topic in known
        for number in known[topic].partitions
    ]


def _read(consumer: Consumer, wanted: _Wanted, partition_count: int) -> set[int]:
    """Read each partition to where it ends; a busy one ends where nothing more is there for a moment."""
    groups = {group for keys in wanted.values() for of_key in keys.values() for group in of_key}
    found: set[int] = set()
    ended: set[tuple[str, int]] = set()
    silent_s = 0.0
    while len(ended) < partition_count and found != groups:
        messages = consumer.consume(_BATCH, _POLL_S)
        silent_s = 0.0 if messages else silent_s + _POLL_S
        if silent_s > _TIMEOUT_S:
            raise Retry("the carriers' topics do not answer")
        for message in messages:
            error, topic = message.error(), str(message.topic())
            if error is None:
                of_key = wanted[topic].get(message.key() or b"")
                if of_key is not None and message.value() is not None:
                    found.update(of_key)
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add((topic, int(message.partition() or 0)))
            else:
                raise KafkaException(error)
    return found
