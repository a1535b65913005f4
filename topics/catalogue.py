"""Every topic of Lethe, declared once.

Two rules hold for all of them. The broker's clock stamps each record (`LogAppendTime`), so that lag in
seconds and retention never depend on a producer's clock; the event's own time is `ce_time`. Where a topic
carries personal data, its lifetime on disk is bounded: by retention, by compaction with a maximal lag, or by
both.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping

from topics.topic import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    Topic,
    TopicOverride,
    check_distinct,
    check_prefix,
)

ORDERS = "orders"
CARRIER_ADDRESSES = "carrier.<name>.addresses"
CARRIER_RECEIPTS = "carrier.<name>.receipts"
CARRIER_RECEIPTS_DEAD_LETTERS = "carrier_receipts.dead-letters"
DEAD_LETTERS = "shipping.dead-letters"
RELAY_POSITIONS = "relay.positions"
CONSENTS = "consents"
NEWSLETTER_DEAD_LETTERS = "newsletter.dead-letters"
POLICIES = "policies"
ANNOUNCEMENTS_DEAD_LETTERS = "announcements.dead-letters"
REQUESTS = "requests"
REQUESTS_DEAD_LETTERS = "requests.dead-letters"
CONFIRMATIONS = "confirmations"
STORE_TASKS = "store-tasks"
STORE_RECEIPTS = "store-receipts"
STORES_DEAD_LETTERS = "stores.dead-letters"
RECEIPTS_DEAD_LETTERS = "receipts.dead-letters"
LEDGER = "ledger"
TEMPLATES = (
    ORDERS, CARRIER_ADDRESSES, CARRIER_RECEIPTS, CARRIER_RECEIPTS_DEAD_LETTERS, DEAD_LETTERS, RELAY_POSITIONS,
    CONSENTS, NEWSLETTER_DEAD_LETTERS, POLICIES,
    ANNOUNCEMENTS_DEAD_LETTERS, REQUESTS, REQUESTS_DEAD_LETTERS, CONFIRMATIONS, STORE_TASKS, STORE_RECEIPTS,
    STORES_DEAD_LETTERS, RECEIPTS_DEAD_LETTERS, LEDGER,
)  # fmt: skip

# A record with this key and no value is nothing: published so that an idle partition closes its segment.
ROLLER_KEY = b"lethe-roller"

# Written inside Kafka transactions only: control records lie between the data.
TRANSACTIONAL = frozenset(
    {
        CARRIER_ADDRESSES, CARRIER_RECEIPTS_DEAD_LETTERS, DEAD_LETTERS, NEWSLETTER_DEAD_LETTERS,
        ANNOUNCEMENTS_DEAD_LETTERS, REQUESTS_DEAD_LETTERS,
        CONFIRMATIONS, STORE_TASKS, STORES_DEAD_LETTERS, RECEIPTS_DEAD_LETTERS, LEDGER,
    }
)  # fmt: skip

_CARRIER = re.compile(r"[a-z][a-z0-9-]{0,31}")
_OF_CARRIERS = {
    CARRIER_ADDRESSES: re.compile(r"carrier\.[a-z][a-z0-9-]{0,31}\.addresses"),
    CARRIER_RECEIPTS: re.compile(r"carrier\.[a-z][a-z0-9-]{0,31}\.receipts"),
}

# An idle partition never rolls its active segment, and only closed segments are trimmed or compacted: short
# segments are what turns "deleted" into "gone from the disk" within minutes.
_SHORT_SEGMENTS = {
    "segment.ms": str(10 * MINUTE_MS),
    "segment.bytes": str(64 * 1024 * 1024),
    "file.delete.delay.ms": str(SECOND_MS),
}
_WITH_PERSONAL_DATA = (ORDERS, CARRIER_ADDRESSES, CARRIER_RECEIPTS, CONSENTS, REQUESTS, STORE_TASKS)
_BROKER_CLOCK = {"message.timestamp.type": "LogAppendTime"}


def carrier_addresses(prefix: str, carrier: str) -> str:
    """Name of the topic that `carrier` alone reads. ValueError if `carrier` is not a slug."""
    if not _CARRIER.fullmatch(carrier):
        raise ValueError(f"carrier {carrier!r}: give a lower-case slug such as 'dhl-express' (at most 32 characters)")
    return f"{prefix}carrier.{carrier}.addresses"


def carrier_receipts(prefix: str, carrier: str) -> str:
    """Name of the topic that `carrier` answers on. ValueError if `carrier` is not a slug."""
    return carrier_addresses(prefix, carrier).removesuffix("addresses") + "receipts"


def template_of(prefix: str, name: str) -> str | None:
    """The template of a topic that Lethe would call `name` under `prefix`, declared or not; else None."""
    if not name.startswith(prefix):
        return None
    rest = name.removeprefix(prefix)
    for template, of_one in _OF_CARRIERS.items():
        if of_one.fullmatch(rest):
            return template
    return rest if rest in TEMPLATES else None


def with_segments(overrides: Mapping[str, TopicOverride], segment_ms: int) -> dict[str, TopicOverride]:
    """`overrides` (by template) and segments of `segment_ms` for every topic with personal data; theirs win."""
    found = dict(overrides)
    for template in _WITH_PERSONAL_DATA:
        configs = {"segment.ms": str(segment_ms)}
        if template == CARRIER_ADDRESSES:
            configs["max.compaction.lag.ms"] = str(segment_ms)
        given = found.get(template, TopicOverride())
        found[template] = given.model_copy(update={"configs": configs | given.configs})
    return found


def catalogue(
    prefix: str = "", carriers: Iterable[str] = (), overrides: Mapping[str, TopicOverride] | None = None
) -> tuple[Topic, ...]:
    """All topics that a deployment needs, in the order in which they are documented.

    `overrides` is keyed by the name without prefix (`orders`, `carrier.dhl.addresses`) or by the template
    (`carrier.<name>.addresses`, for every carrier); the name wins over the template.
    ValueError: a bad prefix, carrier or name, two names that Kafka confuses, an override for no topic.
    """
    overrides = overrides or {}
    check_prefix(prefix)
    topics = [_orders(prefix), *(_carrier(prefix, carrier) for carrier in sorted(set(carriers)))]
    topics += [_dead_letters(prefix, "shipping"), _relay_positions(prefix)]
    topics += [_consents(prefix), _dead_letters(prefix, "newsletter")]
    topics += [_policies(prefix), _dead_letters(prefix, "announcements")]
    topics += [_requests(prefix), _dead_letters(prefix, "requests"), _confirmations(prefix)]
    topics += [_store_tasks(prefix), _store_receipts(prefix), _dead_letters(prefix, "stores")]
    topics += [_dead_letters(prefix, "receipts"), _ledger(prefix)]
    topics += [_carrier_receipts(prefix, carrier) for carrier in sorted(set(carriers))]
    topics += [_dead_letters(prefix, "carrier_receipts")]
    known = set(TEMPLATES) | {topic.name.removeprefix(prefix) for topic in topics}
    if unknown := sorted(set(overrides) - known):
        raise ValueError(f"settings for unknown topic {unknown[0]!r}: known are {', '.join(sorted(known))}")
    check_distinct(topic.name for topic in topics)
    return tuple(_overridden(topic, prefix, overrides) for topic in topics)


def _overridden(topic: Topic, prefix: str, overrides: Mapping[str, TopicOverride]) -> Topic:
    for key in dict.fromkeys((topic.template, topic.name.removeprefix(prefix))):
        if override := overrides.get(key):
            topic = _apply(topic, override)
    return topic


def _apply(topic: Topic, override: TopicOverride) -> Topic:
    for reserved in ("cleanup.policy", "retention.ms"):
        if reserved in override.configs:
            hint = "use retention_ms" if reserved == "retention.ms" else "it is part of the contract"
            raise ValueError(f"settings for topic {topic.template!r}: {reserved} cannot be set in configs, {hint}")
    given = override.model_dump(exclude_none=True, exclude={"configs"})
    return dataclasses.replace(topic, **given, configs={**topic.configs, **override.configs})


def _orders(prefix: str) -> Topic:
    return Topic(
        name=prefix + ORDERS,
        template=ORDERS,
        key="customer reference",
        events=("order.placed", "order.ready", "order.address_changed", "order.cancelled", "order.delivered"),
        partitions=4,
        cleanup="delete",
        retention_ms=7 * DAY_MS,
        personal_data="plaintext",
        produce=("upstream",),
        consume=("shipping",),
        description="Orders and what happens to them, as the shop's order system publishes them.",
        # 4 MiB: an oversized order arrives and is parked with a reason, instead of vanishing at the producer.
        configs=_BROKER_CLOCK | _SHORT_SEGMENTS | {"max.message.bytes": str(4 * 1024 * 1024)},
    )


def _carrier(prefix: str, carrier: str) -> Topic:
    retention_ms = 14 * DAY_MS
    return Topic(
        name=carrier_addresses(prefix, carrier),
        template=CARRIER_ADDRESSES,
        key="shipment id",
        events=("address.assigned", "address.corrected", "address.withdrawn"),
        partitions=2,
        cleanup="compact,delete",
        retention_ms=retention_ms,
        personal_data="plaintext",
        produce=("shipping",),
        consume=(f"carrier.{carrier}",),
        description=f"Where {carrier} delivers: the fields it needs, the latest per shipment.",
        # A withdrawal stays as long as the address could have: a carrier that was away meets each of them.
        configs=_BROKER_CLOCK
        | _SHORT_SEGMENTS
        | {
            "delete.retention.ms": str(retention_ms),
            "max.compaction.lag.ms": str(10 * MINUTE_MS),
            "min.cleanable.dirty.ratio": "0.1",
        },
        transactional=CARRIER_ADDRESSES in TRANSACTIONAL,
    )


def _carrier_receipts(prefix: str, carrier: str) -> Topic:
    return Topic(
        name=carrier_receipts(prefix, carrier),
        template=CARRIER_RECEIPTS,
        key="carrier",
        events=("address.withdrawal_acknowledged",),
        partitions=1,
        cleanup="delete",
        retention_ms=7 * DAY_MS,
        personal_data="plaintext",  # the order's number, which the withdrawal is named after
        produce=(f"carrier.{carrier}",),
        consume=("carrier_receipts",),
        description=f"What {carrier} answers to withdrawals: that it has forgotten the address, or keeps it.",
        configs=_BROKER_CLOCK | _SHORT_SEGMENTS,
    )


def _dead_letters(prefix: str, worker: str) -> Topic:
    template = f"{worker}.dead-letters"
    return Topic(
        name=prefix + template,
        template=template,
        # Not the source's key: a record may have been refused because it was keyed by an e-mail address.
        key="dead letter id",
        events=("dead_letter.parked",),
        partitions=1,
        cleanup="delete",
        retention_ms=30 * DAY_MS,
        personal_data="none",
        produce=(worker,),
        consume=("operators",),
        description="Where each parked event is and why; the event itself stays sealed in PostgreSQL.",
        configs=dict(_BROKER_CLOCK),
        transactional=template in TRANSACTIONAL,
    )


def _relay_positions(prefix: str) -> Topic:
    return Topic(
        name=prefix + RELAY_POSITIONS,
        template=RELAY_POSITIONS,
        key="none",
        events=(),
        partitions=4,
        cleanup="delete",
        retention_ms=HOUR_MS,
        personal_data="none",
        produce=(),
        consume=("relay",),
        description="Holds no record: each relay shard commits its position as an offset of one partition.",
        configs=dict(_BROKER_CLOCK),
    )


def _consents(prefix: str) -> Topic:
    return Topic(
        name=prefix + CONSENTS,
        template=CONSENTS,
        key="customer reference",
        events=("consent.given", "consent.confirmed", "consent.withdrawn"),
        partitions=2,
        cleanup="delete",
        retention_ms=7 * DAY_MS,
        personal_data="plaintext",
        produce=("upstream",),
        consume=("newsletter",),
        description="Consent to mail, given and withdrawn, as the shop's systems publish it.",
        configs=_BROKER_CLOCK | _SHORT_SEGMENTS | {"max.message.bytes": str(4 * 1024 * 1024)},
    )


def _policies(prefix: str) -> Topic:
    return Topic(
        name=prefix + POLICIES,
        template=POLICIES,
        key="version",
        events=("policy.published",),
        partitions=1,
        cleanup="delete",
        retention_ms=365 * DAY_MS,
        personal_data="none",
        produce=("controller",),
        consume=("announcements",),
        description="Versions of the privacy policy, as the controller publishes them.",
        configs=dict(_BROKER_CLOCK),
    )


def _requests(prefix: str) -> Topic:
    return Topic(
        name=prefix + REQUESTS,
        template=REQUESTS,
        key="request id",
        events=("erasure.requested", "erasure.cancelled"),
        partitions=2,
        cleanup="delete",
        retention_ms=7 * DAY_MS,
        personal_data="plaintext",
        produce=("upstream",),
        consume=("requests",),
        description="What people ask about their data, authenticated by the shop's account page.",
        configs=_BROKER_CLOCK | _SHORT_SEGMENTS,
    )


def _confirmations(prefix: str) -> Topic:
    return Topic(
        name=prefix + CONFIRMATIONS,
        template=CONFIRMATIONS,
        key="request id",
        events=("request.changed",),
        partitions=2,
        cleanup="delete",
        retention_ms=30 * DAY_MS,
        personal_data="none",
        produce=("relay",),
        consume=("upstream",),
        description="Where each request stands, for the shop's systems: outcome and references.",
        configs=dict(_BROKER_CLOCK),
        transactional=CONFIRMATIONS in TRANSACTIONAL,
    )


def _store_tasks(prefix: str) -> Topic:
    return Topic(
        name=prefix + STORE_TASKS,
        template=STORE_TASKS,
        key="store",
        events=("store.task",),
        partitions=2,
        cleanup="delete",
        # Long enough for a store that was away over a week-end; whoever was away for longer is asked again.
        retention_ms=7 * DAY_MS,
        personal_data="sealed",
        produce=("relay",),
        consume=("stores", "store systems"),
        description="What each store is to erase or to look for; only the store can open whom it is about.",
        configs=_BROKER_CLOCK | _SHORT_SEGMENTS | {"max.message.bytes": str(4 * 1024 * 1024)},
        transactional=STORE_TASKS in TRANSACTIONAL,
    )


def _store_receipts(prefix: str) -> Topic:
    return Topic(
        name=prefix + STORE_RECEIPTS,
        template=STORE_RECEIPTS,
        key="store",
        events=("store.receipt",),
        partitions=2,
        cleanup="delete",
        retention_ms=30 * DAY_MS,
        personal_data="none",
        produce=("stores", "store systems"),
        consume=("receipts",),
        description="What each store did, found or keeps: outcomes by reference, no personal data.",
        configs=_BROKER_CLOCK | _SHORT_SEGMENTS | {"max.message.bytes": str(4 * 1024 * 1024)},
    )


def _ledger(prefix: str) -> Topic:
    return Topic(
        name=prefix + LEDGER,
        template=LEDGER,
        key="ledger entry",
        events=("subject.erased", "address.suppressed"),
        partitions=1,
        cleanup="compact",
        retention_ms=-1,
        personal_data="none",
        produce=("relay",),
        consume=("restore",),
        description="Who was erased and which addresses said no, as keyed hashes: what a restored backup must be told.",
        configs=dict(_BROKER_CLOCK),
        transactional=LEDGER in TRANSACTIONAL,
    )
