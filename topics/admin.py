"""Reads topics from a broker and applies a plan to it, with librdkafka's admin client.

aiokafka's admin client knows no incremental alter: its `alter_configs` resets every setting it is not given.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its __init__ has no __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    TopicMetadata,
)

from topics.plan import Actual, Change, Create, Delete, GrowPartitions, SetConfig, same_value

REQUEST_TIMEOUT_S = 10.0
SETTLE_TIMEOUT_S = 30.0
POLL_INTERVAL_S = 0.05

# librdkafka writes its own view of a lost connection to stderr; callers get one TopicsError instead.
_log = logging.getLogger("topics.librdkafka")
_log.addHandler(logging.NullHandler())
_log.propagate = False


class TopicsError(Exception):
    """The broker did not do what was asked. The text is one line and says what to do."""


class Admin:
    """Topics of one cluster.

    `connection` holds librdkafka's settings: `bootstrap.servers`, and where the cluster asks for it
    `security.protocol`, `sasl.mechanism`, `sasl.username`, `sasl.password`, `ssl.ca.location`, …
    Every method raises TopicsError.
    """

    def __init__(self, connection: Mapping[str, str]) -> None:
        self._bootstrap = connection.get("bootstrap.servers", "")
        with self._told("connect to Kafka"):
            self._client = AdminClient(dict(connection), logger=_log)

    def read_actual(self, describe: Iterable[str] = ()) -> tuple[Actual, ...]:
        """Every topic on the cluster; effective settings only for those named in `describe`."""
        found = self._metadata()
        names = [name for name in describe if name in found]
        configs = self._configs(names) if names else {}
        return tuple(Actual(name, len(topic.partitions), configs.get(name, {})) for name, topic in found.items())

    def apply(self, changes: Iterable[Change]) -> None:
        """Make the changes, then wait until the broker shows them: topics with leaders, settings, partitions.

        Idempotent: what someone else did meanwhile counts as done. Notices are skipped.
        """
        todo = list(changes)
        self._create([change for change in todo if isinstance(change, Create)])
        self._set([change for change in todo if isinstance(change, SetConfig)])
        self._grow([change for change in todo if isinstance(change, GrowPartitions)])
        self._delete([change for change in todo if isinstance(change, Delete)])
        self._wait(todo)

    def _create(self, changes: list[Create]) -> None:
        new = [
            NewTopic(
                change.topic,
                num_partitions=change.partitions,
                replication_factor=change.replication_factor or -1,
                config=change.configs,
            )
            for change in changes
        ]
        if new:
            futures = self._client.create_topics(new, request_timeout=REQUEST_TIMEOUT_S)
            self._results(futures, "create", KafkaError.TOPIC_ALREADY_EXISTS)

    def _set(self, changes: list[SetConfig]) -> None:
        resources: dict[str, ConfigResource] = {}
        for change in changes:
            resource = resources.setdefault(change.topic, ConfigResource("topic", change.topic))
            entry = ConfigEntry(change.config, change.new, incremental_operation=AlterConfigOpType.SET)
            resource.add_incremental_config(entry)
        if resources:
            futures = self._client.incremental_alter_configs(
                list(resources.values()), request_timeout=REQUEST_TIMEOUT_S
            )
            self._results({resource.name: future for resource, future in futures.items()}, "set configs of")

    def _grow(self, changes: list[GrowPartitions]) -> None:
        new = [NewPartitions(change.topic, change.new) for change in changes]
        if new:
            futures = self._client.create_partitions(new, request_timeout=REQUEST_TIMEOUT_S)
            # INVALID_PARTITIONS: someone grew it meanwhile; the wait fails if it is still too small.
            self._results(futures, "grow", KafkaError.INVALID_PARTITIONS)

    def _delete(self, changes: list[Delete]) -> None:
        if names := [change.topic for change in changes]:
            futures = self._client.delete_topics(names, request_timeout=REQUEST_TIMEOUT_S)
            self._results(futures, "delete", KafkaError.UNKNOWN_TOPIC_OR_PART)

    def _wait(self, changes: list[Change]) -> None:
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        configured = sorted({change.topic for change in changes if isinstance(change, SetConfig)})
        while True:
            found = self._metadata()
            configs = self._configs([name for name in configured if name in found]) if configured else {}
            late = next((change for change in changes if not _visible(change, found, configs)), None)
            if late is None:
                return
            if time.monotonic() > deadline:
                raise TopicsError(f"accepted, but not visible after {SETTLE_TIMEOUT_S:.0f} s: {late}; run it again")
            time.sleep(POLL_INTERVAL_S)

    def _metadata(self) -> dict[str, TopicMetadata]:
        with self._told("list topics"):
            listed = self._client.list_topics(timeout=REQUEST_TIMEOUT_S)
        return dict(sorted(listed.topics.items()))

    def _configs(self, names: list[str]) -> dict[str, dict[str, str]]:
        resources = [ConfigResource("topic", name) for name in names]
        futures = self._client.describe_configs(resources, request_timeout=REQUEST_TIMEOUT_S)
        result = {}
        for resource, future in futures.items():
            with self._told(f"describe {resource.name}"):
                entries = future.result()
            result[resource.name] = {key: entry.value for key, entry in entries.items() if entry.value is not None}
        return result

    def _results(self, futures: Mapping[str, "Future[Any]"], verb: str, done_already: int | None = None) -> None:
        for name, future in futures.items():
            with self._told(f"{verb} {name}", done_already):
                future.result()

    @contextmanager
    def _told(self, action: str, done_already: int | None = None) -> Iterator[None]:
        """Turn librdkafka's errors into one line; `done_already` is the code that means success here."""
        try:
            yield
        except KafkaException as failure:
            error: KafkaError = failure.args[0]
            if error.code() != done_already:
                raise TopicsError(self._text(action, error)) from failure

    def _text(self, action: str, error: KafkaError) -> str:
        unreachable = {
            KafkaError._TRANSPORT,
            KafkaError._ALL_BROKERS_DOWN,
            KafkaError._TIMED_OUT,
            KafkaError._RESOLVE,
        }
        refused = {
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
            KafkaError.CLUSTER_AUTHORIZATION_FAILED,
            KafkaError._AUTHENTICATION,
        }
        if error.code() in unreachable:
            return f"cannot {action}: no broker answers at {self._bootstrap!r}; is it running there?"
        if error.code() in refused:
            return f"cannot {action}: the broker refuses these credentials ({error.str()}); check user and ACLs"
        return f"cannot {action}: {error.str()}"


def _visible(change: Change, found: Mapping[str, TopicMetadata], configs: Mapping[str, Mapping[str, str]]) -> bool:
    topic = found.get(change.topic)
    match change:
        case Create():
            return topic is not None and _led(topic)
        case GrowPartitions():
            return topic is not None and _led(topic) and len(topic.partitions) >= change.new
        case SetConfig():
            return same_value(change.config, configs.get(change.topic, {}).get(change.config), change.new)
        case Delete():
            return topic is None
        case _:
            return True


def _led(topic: TopicMetadata) -> bool:
    return bool(topic.partitions) and all(partition.leader >= 0 for partition in topic.partitions.values())
