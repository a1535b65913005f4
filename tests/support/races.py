"""People who order, move, subscribe and say no while they are being erased, and what the rules say must come of it.

The judge knows what was published and when, and the moment of each person's fence. Everything that happened until then
must be gone; everything after it is a new person's, applied once. The model is the domain itself.
"""

import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import confluent_kafka
from confluent_kafka import Consumer, Producer, TopicPartition

from schemas import envelope, registry
from schemas.errors import ContractError
from tests.support.consents import event as consent_event
from tests.support.erasure import headers, subscribed
from tests.support.orders import Published
from topics import catalogue
from workers.domain import shipping
from workers.domain.carriers import Carrier
from workers.domain.shipping import Shipment
from workers.errors import Refused
from workers.settings import Settings

CARRIERS = ("gls", "dhl-express")


class Racer(NamedTuple):
    """One person. Every address that they give holds a word of its own, which begins with theirs."""

    number: int

    @property
    def reference(self) -> str:
        """The shop's."""
        return f"c-{self.number:03d}"

    @property
    def email(self) -> str:
        """Theirs alone."""
        return f"racer{self.number:03d}x@example.org"

    @property
    def tokens(self) -> tuple[str, str]:
        """What they can be found by."""
        return f"Racer{self.number:03d}w", self.email


class Done(NamedTuple):
    """Something that a person did: published, or said to us directly (`record` None)."""

    racer: Racer
    at: datetime
    kind: str
    word: str = ""
    record: Published | None = None


class Upstream:
    """Publishes at once, one after the other, and remembers all of it."""

    def __init__(self, settings: Settings) -> None:
        self.done: list[Done] = []
        self._settings = settings
        options = {"enable.idempotence": True, "linger.ms": 0, "log_level": 0}
        self._producer = Producer({**settings.kafka_admin, **options})
        self._words: dict[int, int] = defaultdict(int)

    def order(self, racer: Racer, order: str, carrier: str = "gls", at: datetime | None = None) -> None:
        """`order.placed`, to an address with a new word."""
        self._address(racer, "order.placed", order, at, carrier=carrier, contact_consent=True)

    def move(self, racer: Racer, order: str, carrier: str | None = None) -> None:
        """`order.address_changed`."""
        self._address(racer, "order.address_changed", order, None, **({"carrier": carrier} if carrier else {}))

    def cancel(self, racer: Racer, order: str) -> None:
        """`order.cancelled`."""
        self._order_event(racer, "order.cancelled", order, datetime.now(UTC), "", reason="customer")

    def again(self, done: Done) -> None:
        """The very same record once more, as an upstream does that got no answer."""
        assert done.record is not None
        self._publish(done, "consents" if done.kind.startswith("consent.") else "orders")

    def malformed(self, racer: Racer, order: str, at: datetime) -> None:
        """An order that cannot be applied, with a name in it."""
        self._order_event(racer, "order.placed", order, at, self._word(racer), ship_to={"name": self._word(racer)})

    def agree(self, racer: Racer) -> None:
        """`consent.given` that is in force at once."""
        self._publish(
            Done(racer, datetime.now(UTC), "consent.given", "", subscribed(racer.reference, racer.email)), "consents"
        )

    def refuse(self, racer: Racer) -> None:
        """`consent.withdrawn`."""
        now = datetime.now(UTC)
        record = consent_event("consent.withdrawn", racer.reference, racer.email, time=now, withdrawal_method="account")
        self._publish(Done(racer, now, "consent.withdrawn", "", record), "consents")

    def ask(self, request: Published) -> None:
        """An erasure.requested."""
        self._producer.produce(self._settings.topic("requests"), request.value, request.key, headers=request.headers)
        self._producer.poll(0)

    def flush(self) -> None:
        """Everything is acknowledged afterwards."""
        assert self._producer.flush(60) == 0

    def _address(self, racer: Racer, kind: str, order: str, at: datetime | None, **more: object) -> None:
        word = self._word(racer)
        ship_to = {
            "name": f"Zoë {word}", "lines": [f"7 rue {word}"], "city": "Paris", "postal_code": "75011",
            "country_code": "FR", "email": racer.email,
        }  # fmt: skip
        self._order_event(racer, kind, order, at or datetime.now(UTC), word, ship_to=ship_to, **more)

    def _order_event(self, racer: Racer, kind: str, order: str, at: datetime, word: str, **more: object) -> None:
        body = {"order_id": order, "customer_ref": racer.reference, **more}
        record = Published(racer.reference.encode(), headers(kind, at), json.dumps(body).encode())
        self._publish(Done(racer, at, kind, word, record), "orders")

    def _publish(self, done: Done, topic: str) -> None:
        assert done.record is not None
        self.done.append(done)
        self._producer.produce(
            self._settings.topic(topic), done.record.value, done.record.key, headers=done.record.headers
        )
        self._producer.poll(0)

    def _word(self, racer: Racer) -> str:
        self._words[racer.number] += 1
        return f"{racer.tokens[0]}{self._words[racer.number]:03d}z"


class Left(NamedTuple):
    """A record as a carrier read it, and when Lethe had handed it to the broker."""

    carrier: str
    shipment_id: str
    event_id: str
    value: bytes | None
    at: datetime
    reason: str | None


@contextmanager
def watched(settings: Settings) -> Iterator[list[Left]]:
    """All that carriers read from now on, in the order of each topic, compacted away or not."""
    seen: list[Left] = []
    over = threading.Event()
    consumer = Consumer(
        {
            **settings.kafka_admin, "group.id": f"{settings.prefix}watcher", "isolation.level": "read_committed",
            "enable.auto.commit": False, "fetch.wait.max.ms": 20, "log_level": 0,
        }
    )  # fmt: skip
    topics = {settings.topic(f"carrier.{name}.addresses"): name for name in CARRIERS}
    consumer.assign([TopicPartition(topic, 0, confluent_kafka.OFFSET_BEGINNING) for topic in topics])

    def watch() -> None:
        while not over.is_set():
            for message in consumer.consume(1000, 0.05):
                if message.error() is None and message.key() != catalogue.ROLLER_KEY:
                    named = dict(message.headers() or [])
                    at = datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
                    reason = named.get("ce_reason")
                    key, said = message.key().decode(), reason and reason.decode()
                    seen.append(Left(topics[message.topic()], key, named["ce_id"].decode(), message.value(), at, said))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
        consumer.close()


def model(done: Iterable[Done], carriers: Mapping[str, Carrier]) -> dict[str, Shipment]:
    """The shipments that these events make, each event once, in the order in which they were published."""
    shipments: dict[str, Shipment] = {}
    seen: set[bytes] = set()
    for one in done:
        if one.record is None or one.kind.startswith("consent."):
            continue
        event_id = dict(one.record.headers)["ce_id"]
        if event_id in seen:
            continue
        seen.add(event_id)
        parsed = envelope.parse(one.record.headers, one.record.value)
        try:
            data = registry.decode(parsed)
            order_id: str = data.order_id  # type: ignore[attr-defined]  # every event of this topic has one
            decided = shipping.decide(data, parsed.time, one.racer.number, shipments.get(order_id), carriers)  # type: ignore[arg-type]  # likewise
        except (ContractError, Refused):
            continue
        shipments[order_id] = decided.shipment
    return shipments


class Schedule:
    """What is to be done at random moments, in the order of time."""

    def __init__(self, seed: int, lasts_s: float) -> None:
        self.random = random.Random(seed)
        self.lasts_s = lasts_s
        self._plan: list[tuple[float, int, Callable[[], object]]] = []

    def at(self, moment_s: float, what: Callable[[], object]) -> None:
        """Plan it; what is planned later for the same moment comes later."""
        self._plan.append((moment_s, len(self._plan), what))

    def sometime(self, what: Callable[[], object]) -> None:
        """Plan it for any moment."""
        self.at(self.random.uniform(0, self.lasts_s), what)

    def run(self) -> None:
        """Do all of it."""
        began_s = time.monotonic()
        for moment_s, _, what in sorted(self._plan, key=lambda one: one[:2]):
            time.sleep(max(0.0, began_s + moment_s - time.monotonic()))
            what()


def earlier() -> datetime:
    """The time of an event that comes late."""
    return datetime.now(UTC) - timedelta(minutes=10)


def of(racers: Sequence[Racer], done: Iterable[Done]) -> dict[Racer, list[Done]]:
    """What each of them did, in order."""
    found: dict[Racer, list[Done]] = {racer: [] for racer in racers}
    for one in done:
        found[one.racer].append(one)
    return found
