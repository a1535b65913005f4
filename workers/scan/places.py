"""What a file is, told by where it lies and what it is called; and which decoder reads it."""

import re
from pathlib import PurePath

from workers.scan.kafka_batches import KafkaBatches
from workers.scan.postgres_files import PostgresPages, WalPages
from workers.scan.views import Decoder

_SEGMENT = re.compile(r"\d{20}\.log((?:\.[a-z]+)*)")
_KAFKA_INDEX = re.compile(r"\d{20}\.(index|timeindex|txnindex|snapshot)((?:\.[a-z]+)*)")
_RELATION = re.compile(r"(?:^|/)(?:base/\d+|global|pg_tblspc/.+/PG_[^/]+/\d+)/(t\d+_)?\d+(_[a-z]+)?(\.\d+)?$")
_WAL = re.compile(r"(?:^|/)[0-9A-F]{24}(?:\.partial)?$")
_STATISTICS = re.compile(r"(?:^|/)(?:base/\d+|global)/(?:2619|2840|2841)(?:\.\d+)?$|(?:^|/)pg_stat(?:_tmp)?/")
_BY_FOLDER = {
    "pgsql_tmp": "PostgreSQL temporary file",
    "pg_replslot": "PostgreSQL replication slot",
    "pg_logical": "PostgreSQL logical decoding",
    "pg_xact": "PostgreSQL transaction status",
}
_BY_SUFFIX = {
    ".eml": "mail",
    ".log": "log",
    ".csv": "export",
    ".json": "JSON file",
    ".jsonl": "JSON lines",
    ".sql": "dump",
}


def describe(path: PurePath) -> str:
    """What a person calls such a file."""
    text = path.as_posix()
    if match := _SEGMENT.fullmatch(path.name):
        return f"Kafka segment{_state(match[1], path)}"
    if match := _KAFKA_INDEX.fullmatch(path.name):
        kind = "producer snapshot" if match[1] == "snapshot" else "index"
        return f"Kafka {kind}{_state(match[2], path)}"
    if _WAL.search(text):
        return "PostgreSQL WAL"
    if _STATISTICS.search(text):
        return "PostgreSQL statistics"
    if _RELATION.search(text):
        return "PostgreSQL table or index"
    for part in path.parts:
        if part in _BY_FOLDER:
            return _BY_FOLDER[part]
    return _BY_SUFFIX.get(path.suffix, "file")


def decoder(path: PurePath, reach: int) -> Decoder | None:
    """None for a file whose plain bytes are all there is."""
    if _SEGMENT.fullmatch(path.name):
        return KafkaBatches()
    if _WAL.search(path.as_posix()):
        return WalPages(reach)
    return PostgresPages() if _RELATION.search(path.as_posix()) else None


def _state(suffixes: str, path: PurePath) -> str:
    """Kafka's endings for files on their way out or in: retention, compaction, a deleted or moved topic."""
    if path.parent.name.endswith("-delete"):
        return ", deleted topic"
    states = {".deleted": ", deleted", ".cleaned": ", being compacted", ".swap": ", being swapped in"}
    return next((said for ending, said in states.items() if suffixes.endswith(ending)), "")
