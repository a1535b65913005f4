"""A store that speaks the protocol on real Kafka, and behaves towards each person as their script says.

It remembers what it was asked and what it sent, and what it really holds: a certificate can be held against that.
"""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import confluent_kafka
import yaml
from confluent_kafka import Consumer, Producer, TopicPartition
from joserfc import jwe as jose

from workers.settings import Settings
from workers.stores import jwe

Body = dict[str, Any]


class Asked(NamedTuple):
    """One task, about one person, and what was sent in answer to it."""

    task_id: UUID
    action: str
    sent: list[Body]


class Turn:
    """What a script sees when its person is asked about. `nth` counts the tasks with this action, from 1."""

    def __init__(self, at: "LyingStore", email: str, subject_ref: str, task: Asked, earlier: Sequence[Asked]) -> None:
        self.at = at
        self.email = email
        self.subject_ref = subject_ref
        self.task = task
        self.earlier = earlier
        self.action = task.action
        self.nth = 1 + sum(one.action == task.action for one in earlier)

    def erase(self) -> str:
        """Really delete; the true outcome."""
        return "erased" if self.at.held.pop(self.email, None) else "nothing_found"

    def look(self) -> str:
        """The true outcome of a look."""
        return "present" if self.at.held.get(self.email) else "absent"

    def truth(self) -> str:
        """Do as asked; the true outcome."""
        return self.erase() if self.action == "erase" else self.look()

    def receipt(self, outcome: str, task_id: UUID | None = None, **changed: Any) -> Body:
        """A receipt to this task (or another) with one result. `changed` are fields of the result."""
        return {
            "task_id": str(task_id or self.task.task_id),
            "store": self.at.name,
            "action": self.action,
            "results": [{"subject_ref": self.subject_ref, "outcome": outcome, **changed}],
            "answered_at": datetime.now(UTC).isoformat(),
        }


Script = Callable[[Turn], Sequence[Body | bytes]]


def honest(turn: Turn) -> list[Body]:
    """Does as asked, and says so."""
    return [turn.receipt(turn.truth())]


class LyingStore:
    """An external store of one name. `scripts` by e-mail address; whoever has none is served honestly."""

    def __init__(self, settings: Settings, name: str, scripts: Mapping[str, Script]) -> None:
        self.name = name
        self.scripts = dict(scripts)
        self.held: dict[str, int] = {}
        self.asked: dict[UUID, list[Asked]] = defaultdict(list)
        self.failed: list[Exception] = []
        self._settings = settings
        self._key = jwe.generate()
        self._producer = Producer({**settings.kafka_admin, "enable.idempotence": True, "linger.ms": 0, "log_level": 0})
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def write_file(self, folder: Path, **changed: object) -> None:
        """The store's file. Tasks hold one person each, so that one script's receipt is nobody else's."""
        head = {
            "name": self.name,
            "title": self.name.capitalize(),
            "kind": "external",
            "identifiers": ["email"],
            "max_subjects_per_task": 1,
            "respond_within_s": 2,
            "public_key": jwe.public_text(self._key),
        }
        (folder / f"{self.name}.yaml").write_text(yaml.safe_dump(head | changed))

    def send(self, body: Body | bytes, key: str | None = None) -> None:
        """Publish a receipt, or something that is none."""
        headers = {"ce_specversion": "1.0", "ce_id": str(uuid4()), "ce_source": f"/stores/{self.name}",
                   "ce_type": "store.receipt", "ce_time": datetime.now(UTC).isoformat(),
                   "content-type": "application/json"}  # fmt: skip
        value = body if isinstance(body, bytes) else json.dumps(body).encode()
        topic = self._settings.topic("store-receipts")
        self._producer.produce(topic, value, key or self.name, headers={k: v.encode() for k, v in headers.items()})
        assert self._producer.flush(30) == 0

    def start(self) -> None:
        """Serve from the first task on."""
        self._thread.start()

    def stop(self) -> None:
        """Raises what went wrong in a script."""
        self._stopped.set()
        self._thread.join()
        for error in self.failed:
            raise error

    def _run(self) -> None:
        options = {"group.id": f"{self._settings.prefix}test-{self.name}", "isolation.level": "read_committed"}
        consumer = Consumer({**self._settings.kafka_admin, **options, "enable.auto.commit": False, "log_level": 0})
        topic = self._settings.topic("store-tasks")
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        consumer.assign([TopicPartition(topic, one, confluent_kafka.OFFSET_BEGINNING) for one in partitions])
        try:
            while not self._stopped.is_set():
                for message in consumer.consume(100, 0.1):
                    if message.error() is None and message.key() == self.name.encode():
                        self._serve(json.loads(message.value()))
        except Exception as error:  # raised again by `stop`, in the test's own thread
            self.failed.append(error)
        finally:
            consumer.close()

    def _serve(self, task: Body) -> None:
        for subject in task["subjects"]:
            (email,) = json.loads(jose.decrypt_compact(subject["identifiers"], self._key).plaintext or b"")["email"]
            asked, earlier = Asked(UUID(task["task_id"]), task["action"], []), self.asked[UUID(subject["subject_ref"])]
            turn = Turn(self, email, subject["subject_ref"], asked, list(earlier))
            bodies = self.scripts.get(email, honest)(turn)
            asked.sent.extend(body for body in bodies if not isinstance(body, bytes))
            earlier.append(asked)
            for body in bodies:
                self.send(body)

    def has_shown_absence(self, subject_ref: UUID) -> bool:
        """Whether the last task was a look, and its first valid answer said that nothing is left, or what is kept."""
        last = self.asked[subject_ref][-1]
        said = [
            result
            for body in last.sent
            if (body["task_id"], body["store"], body["action"]) == (str(last.task_id), self.name, "verify")
            for result in body["results"]
            if result["subject_ref"] == str(subject_ref)
        ]
        if last.action != "verify" or not said:
            return False
        first = said[0]
        return first["outcome"] == "absent" or bool(first["outcome"] == "kept" and first.get("kept"))


@contextmanager
def serving(*stores: LyingStore) -> Iterator[None]:
    """They serve until the end of the block. Raises what went wrong in a script."""
    for one in stores:
        one.start()
    try:
        yield
    finally:
        for one in stores:
            one.stop()
