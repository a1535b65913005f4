"""What the scanner finds of a person in the whole data directory, place by place, in words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from workers.scan.scanner import Report, Scanner

INBOUND: Final = "Kafka: topics that the shop publishes on"
CARRIERS: Final = "Kafka: topics that carriers read"
_PARCELS: Final = "Kafka: the shop's parcels (a store)"
_KAFKA: Final = "Kafka: everything else"
_OWN: Final = "PostgreSQL: Lethe's database, sealed"
_SHOP: Final = "PostgreSQL: the shop's database (a store)"
_WAL: Final = "PostgreSQL: write-ahead log of both"
_POSTGRES: Final = "PostgreSQL: everything else"
_EXPORTS: Final = "The shop's exports (a store)"
_MAILS: Final = "Mailboxes of all people (the sink)"
_KEYRING: Final = "Keyring"
_OTHER: Final = "Logs of workers, settings, store files"
PLACES: Final = (
    INBOUND, CARRIERS, _PARCELS, _KAFKA, _OWN, _SHOP, _WAL, _POSTGRES, _EXPORTS, _MAILS, _KEYRING, _OTHER,
)  # fmt: skip
_TOPICS: Final = {
    "orders": INBOUND, "consents": INBOUND, "requests": INBOUND, "carrier.": CARRIERS, "shop.parcels": _PARCELS,
}  # fmt: skip
_FOLDERS: Final = {"kafka": _KAFKA, "shop": _EXPORTS, "mails": _MAILS, "keyring": _KEYRING}


class Found(NamedTuple):
    """One scan: traces by place, which of the tokens, how much was looked through, and what could not be."""

    traces: Mapping[str, int]
    tokens: frozenset[int]
    files: int
    size_bytes: int
    unread: tuple[str, ...]

    @property
    def total(self) -> int:
        """All traces."""
        return sum(self.traces.values())

    @property
    def is_clean(self) -> bool:
        """Nothing was found and everything was looked through."""
        return not self.total and not self.unread


class Search:
    """Looks for one person's tokens in a data directory, as often as one likes. `databases`: oid to `lethe`, `shop`."""

    def __init__(self, tokens: Mapping[str, str], data_dir: Path, databases: Mapping[int, str]) -> None:
        self._scanner = Scanner(list(tokens.values()))
        self._data_dir = data_dir
        self._databases = databases

    def everywhere(self) -> Found:
        """Every file of the directory."""
        return self._found(self._scanner.scan([self._data_dir]))

    def in_kafka(self) -> Found:
        """Kafka's files alone, which go by themselves; quick."""
        return self._found(self._scanner.scan([self._data_dir / "kafka"]))

    def _found(self, report: Report) -> Found:
        traces: dict[str, int] = {}
        for one in report.findings:
            place = place_of(Path(one.path).relative_to(self._data_dir), self._databases)
            traces[place] = traces.get(place, 0) + one.count
        unread = tuple(f"{Path(one.path).name}: {one.why}" for one in report.unread)
        tokens = frozenset(one.token for one in report.findings)
        return Found(traces, tokens, report.files, report.size_bytes, unread)


def place_of(path: Path, databases: Mapping[int, str]) -> str:
    """What a file of the data directory (`path` is relative to it) belongs to."""
    parts = path.parts
    if parts[:2] == ("kafka", "data"):
        return next((place for topic, place in _TOPICS.items() if parts[2].startswith(topic)), _KAFKA)
    if parts[0] == "postgres":
        return _of_postgres(parts, databases)
    return _FOLDERS.get(parts[0], _OTHER)


def _of_postgres(parts: tuple[str, ...], databases: Mapping[int, str]) -> str:
    if "pg_wal" in parts:
        return _WAL
    if "base" in parts[:-2]:
        number = parts[parts.index("base") + 1]
        named = databases.get(int(number)) if number.isdecimal() else None
        return {"lethe": _OWN, "shop": _SHOP}.get(named or "", _POSTGRES)
    return _POSTGRES
