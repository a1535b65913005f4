"""What one topic is: its name, key, events, lifetime, and who may touch it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

CleanupPolicy = Literal["delete", "compact", "compact,delete"]
Ownership = Literal["own", "shared"]
PersonalData = Literal["none", "plaintext", "sealed"]

MAX_NAME_CHARS = 249
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_PREFIX = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*[._-])?")

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


class TopicOverride(BaseModel):
    """What a deployment may set differently for one topic; whatever is None stays as declared.

    `replication_factor` None leaves it to the broker's `default.replication.factor`. `configs` are Kafka
    topic settings, added to the declared ones or replacing them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    partitions: Annotated[int, Field(ge=1)] | None = None
    replication_factor: Annotated[int, Field(ge=1)] | None = None
    retention_ms: Annotated[int, Field(ge=1)] | None = None
    ownership: Ownership | None = None
    configs: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One declared topic.

    `name` is complete: prefix and carrier are filled in; `template` is the name as documentation writes it.
    `ownership`: `own` means that Lethe alone uses it and may trim and compact it; a `shared` topic belongs to
    others (the shop's bus) and Lethe neither creates nor changes it.
    `transactional`: every record is written inside a Kafka transaction, so control records lie between the
    data. `produce` and `consume` name principals; access rules are rendered from them.
    """

    name: str
    template: str
    key: str
    events: tuple[str, ...]
    partitions: int
    cleanup: CleanupPolicy
    retention_ms: int
    personal_data: PersonalData
    produce: tuple[str, ...]
    consume: tuple[str, ...]
    description: str
    configs: Mapping[str, str]
    ownership: Ownership = "own"
    transactional: bool = False
    replication_factor: int | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        object.__setattr__(self, "configs", MappingProxyType(dict(self.configs)))

    @property
    def all_configs(self) -> dict[str, str]:
        """Every setting that Lethe declares, by its Kafka name; others are left as the broker has them."""
        declared = {"cleanup.policy": self.cleanup, "retention.ms": str(self.retention_ms)}
        return declared | dict(self.configs)


def check_prefix(prefix: str) -> str:
    """Return `prefix`; ValueError unless it is empty or ends in a separator.

    Without the separator, prefix `a` would also claim the topics of prefix `ab`.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"topic prefix {prefix!r}: give letters, digits, '.', '_', '-', and end it with one of . _ -")
    return prefix


def check_name(name: str) -> str:
    """Return `name`; ValueError unless Kafka accepts it (org.apache.kafka.common.internals.Topic)."""
    if len(name) > MAX_NAME_CHARS:
        raise ValueError(f"topic name of {len(name)} characters: Kafka allows {MAX_NAME_CHARS}")
    if name in {"", ".", ".."} or not _NAME.fullmatch(name):
        raise ValueError(f"topic name {name!r}: Kafka allows letters, digits, '.', '_' and '-' only")
    return name


def metric_name(name: str) -> str:
    """The name as Kafka's metrics write it: two topics with the same one may not live on one broker."""
    return name.replace(".", "_")


def check_distinct(names: Iterable[str]) -> None:
    """ValueError if two names are equal, or differ only by '.' against '_'."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(metric_name(name), name)
        if other is not name:
            raise ValueError(f"topics {other!r} and {name!r}: Kafka takes '.' and '_' for the same, rename one")
