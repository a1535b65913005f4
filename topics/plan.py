"""What has to change on a broker so that it has the catalogue's topics. Pure: no broker is asked here.

Nothing is deleted unless its exact name is asked for, partitions only ever grow, and only the settings that
the catalogue declares are compared: what someone else set on a topic stays. A shared topic belongs to others
and is never changed.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from topics import catalogue
from topics.topic import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Topic, metric_name

Kind = Literal["create", "set_config", "grow_partitions", "delete", "warning"]


@dataclass(frozen=True, slots=True)
class Actual:
    """A topic as the broker has it; `configs` are effective values, empty where they were not asked for."""

    name: str
    partitions: int
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Create:
    """The topic is missing."""

    kind: ClassVar[Kind] = "create"
    topic: str
    partitions: int
    replication_factor: int | None
    configs: dict[str, str]

    def __str__(self) -> str:
        configs = ", ".join(f"{key}={readable(key, value)}" for key, value in sorted(self.configs.items()))
        return f"+ create {self.topic}: {_partitions(self.partitions)}; {configs}"


@dataclass(frozen=True, slots=True)
class SetConfig:
    """One declared setting differs; `old` is None where the broker does not show it."""

    kind: ClassVar[Kind] = "set_config"
    topic: str
    config: str
    old: str | None
    new: str

    def __str__(self) -> str:
        old = "unset" if self.old is None else readable(self.config, self.old)
        return f"~ set {self.topic}: {self.config} {old} -> {readable(self.config, self.new)}"


@dataclass(frozen=True, slots=True)
class GrowPartitions:
    """There are fewer partitions than declared. Keys move: see the text."""

    kind: ClassVar[Kind] = "grow_partitions"
    topic: str
    old: int
    new: int

    def __str__(self) -> str:
        return (
            f"~ grow {self.topic}: {self.old} -> {_partitions(self.new)}. "
            "Keys map to other partitions from then on: order per key is not kept across this change, "
            "so stop the producers and let the consumers catch up first"
        )


@dataclass(frozen=True, slots=True)
class Delete:
    """Asked for by name; all its records go."""

    kind: ClassVar[Kind] = "delete"
    topic: str

    def __str__(self) -> str:
        return f"- delete {self.topic}: all its records are lost"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something differs that Lethe does not change; a person decides."""

    kind: ClassVar[Kind] = "warning"
    topic: str
    text: str

    def __str__(self) -> str:
        return f"! {self.topic}: {self.text}"


Change = Create | SetConfig | GrowPartitions | Delete | Notice
_ORDER: tuple[type[Change], ...] = (Create, SetConfig, GrowPartitions, Delete, Notice)


def plan(
    desired: Iterable[Topic],
    actual: Iterable[Actual],
    prefix: str = "",
    delete: AbstractSet[str] = frozenset(),
) -> tuple[Change, ...]:
    """Changes that turn `actual` into `desired`: creations, settings, growth, deletions, then notices.

    `delete` holds exact names of topics under `prefix` that are not declared any more. ValueError for a name
    that is declared, absent, or not one that Lethe would have given.
    """
    wanted = {topic.name: topic for topic in desired}
    present = {topic.name: topic for topic in actual}
    changes: list[Change] = []
    for topic in wanted.values():
        found = present.get(topic.name)
        changes += _missing(topic, present) if found is None else _differences(topic, found)
    changes += [_deletion(name, wanted, present, prefix) for name in sorted(delete)]
    for name in sorted(present.keys() - wanted.keys() - delete):
        if _ours(name, prefix):
            changes.append(Notice(name, f"not in the catalogue; left as it is (to delete it: --delete {name})"))
    return tuple(sorted(changes, key=lambda change: _ORDER.index(type(change))))


def pending(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes that alter the broker: all but the warnings."""
    return tuple(change for change in changes if not isinstance(change, Notice))


def to_json(change: Change) -> dict[str, object]:
    """The change as JSON-ready data: `kind`, `topic`, and the fields of its class."""
    return {"kind": change.kind, **asdict(change)}


def readable(config: str, value: str) -> str:
    """A setting's value for people: whole durations and sizes with their unit, others unchanged."""
    if config.endswith(".ms"):
        units = {"d": DAY_MS, "h": HOUR_MS, "min": MINUTE_MS, "s": SECOND_MS}
    elif config.endswith(".bytes"):
        units = {"GiB": 1024**3, "MiB": 1024**2, "KiB": 1024}
    else:
        return value
    if not value.isdigit() or value == "0":
        return value
    number = int(value)
    return next((f"{number // size} {unit}" for unit, size in units.items() if number % size == 0), value)


def same_value(config: str, old: str | None, new: str) -> bool:
    """True if the broker takes both values for the same: `cleanup.policy` is a set."""
    if config == "cleanup.policy" and old is not None:
        return set(old.replace(" ", "").split(",")) == set(new.split(","))
    return old == new


def _ours(name: str, prefix: str) -> bool:
    """An empty prefix would claim the whole cluster: then only names that Lethe gives count as ours."""
    return catalogue.template_of(prefix, name) is not None or (prefix != "" and name.startswith(prefix))


def _missing(topic: Topic, present: Mapping[str, Actual]) -> list[Change]:
    if topic.ownership == "shared":
        return [Notice(topic.name, "missing, and shared with others: ask its owner to create it")]
    rival = next((name for name in present if metric_name(name) == metric_name(topic.name)), None)
    if rival is not None:
        return [Notice(topic.name, f"cannot be created beside {rival!r}: Kafka takes '.' and '_' for the same")]
    return [Create(topic.name, topic.partitions, topic.replication_factor, topic.all_configs)]


def _differences(topic: Topic, found: Actual) -> list[Change]:
    if topic.ownership == "shared":
        return []
    changes: list[Change] = []
    for config, new in sorted(topic.all_configs.items()):
        old = found.configs.get(config)
        if not same_value(config, old, new):
            changes.append(SetConfig(topic.name, config, old, new))
    if found.partitions < topic.partitions:
        changes.append(GrowPartitions(topic.name, found.partitions, topic.partitions))
    elif found.partitions > topic.partitions:
        has = f"has {_partitions(found.partitions)}, {topic.partitions} declared"
        changes.append(Notice(topic.name, f"{has}: Kafka cannot take partitions away"))
    return changes


def _deletion(name: str, wanted: Mapping[str, Topic], present: Mapping[str, Actual], prefix: str) -> Delete:
    if name in wanted:
        raise ValueError(f"--delete {name}: the topic is declared; take it out of the settings first")
    if name not in present:
        raise ValueError(f"--delete {name}: there is no such topic")
    if not _ours(name, prefix):
        raise ValueError(f"--delete {name}: not a topic of Lethe under prefix {prefix!r}; delete it with Kafka's tools")
    return Delete(name)


def _partitions(count: int) -> str:
    return "1 partition" if count == 1 else f"{count} partitions"
