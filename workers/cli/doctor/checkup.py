"""The checks of `lethe doctor`. Each finds one thing out and never raises."""

import socket
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import asyncpg
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError

from workers import carriers as carrier_files
from workers.cli import connections
from workers.db import migrate
from workers.errors import LetheError
from workers.settings import Settings
from workers.vault import keyring as keyrings

_MIN_POSTGRES = 160000
_TIMEOUT_MS = 5000
# Protocol calls that Lethe cannot do without, by their number in the Kafka protocol.
_NEEDED_CALLS = {
    21: "DeleteRecords",
    22: "InitProducerId",
    26: "EndTxn",
    28: "TxnOffsetCommit",
    44: "IncrementalAlterConfigs",
}
# A call that first came with a version tells that a broker is at least that old.
_SINCE = {90: "4.1", 80: "3.9", 60: "2.8"}


class Finding(NamedTuple):
    """One line of the doctor: what was looked at, what was found, what to do about it."""

    what: str
    state: Literal["ok", "problem", "note"]
    found: str
    do: str = ""


async def findings(settings: Settings) -> list[Finding]:
    """Every check, in the order in which one would mend things."""
    kafka = await _kafka(settings)
    return [
        kafka,
        _topics(settings, is_reachable=kafka.state != "problem"),
        *await _database(settings),
        *_keyring_files(settings.keyring_dir),
        _carriers(settings.carriers_dir),
        _web_port(settings),
    ]


async def _kafka(settings: Settings) -> Finding:
    host, _, port = settings.kafka_bootstrap.split(",")[0].strip().rpartition(":")
    options = {name: value for name, value in settings.kafka_client.items() if name != "bootstrap_servers"}
    try:
        connection = await create_conn(host, int(port), request_timeout_ms=_TIMEOUT_MS, **options)
    except (KafkaError, OSError, TimeoutError, ValueError) as error:
        away = connections.kafka_away(settings, error)
        return Finding("Kafka", "problem", str(away).partition(": ")[0], str(away).partition(": ")[2])
    calls = set(connection._versions)  # aiokafka tells them in no other way
    connection.close()
    version = next((f"{since} or newer" for call, since in _SINCE.items() if call in calls), "older than 2.8")
    missing = [name for call, name in _NEEDED_CALLS.items() if call not in calls]
    if missing:
        return Finding("Kafka", "problem", f"lacks {', '.join(missing)}", "use Apache Kafka 3.0 or newer")
    return Finding("Kafka", "ok", f"{settings.kafka_bootstrap} answers, version {version}, transactions")


def _topics(settings: Settings, is_reachable: bool) -> Finding:
    from topics import plan
    from topics.admin import TopicsError
    from workers.cli import topics

    if not is_reachable:
        return Finding("Topics", "note", "not looked at, because Kafka does not answer")
    try:
        desk = topics.desk(settings)
        changes = plan.pending(desk.changes())
    except (LetheError, TopicsError, ValueError) as error:
        return Finding("Topics", "problem", str(error))
    if changes:
        return Finding(
            "Topics",
            "problem",
            f"{len(changes)} differences to what is declared",
            "lethe topics plan, then apply",
        )
    return Finding("Topics", "ok", f"{len(desk.topics)} are as declared")


async def _database(settings: Settings) -> list[Finding]:
    try:
        async with connections.database(settings) as connection:
            return [
                _postgres(settings, connection),
                await _tables(connection),
                await _keyring(settings, connection),
            ]
    except asyncpg.InvalidCatalogNameError:
        return [Finding("PostgreSQL", "problem", f"no database {connections.place(settings)}", "lethe migrate")]
    except LetheError as error:
        found, _, todo = str(error).partition(": ")
        return [Finding("PostgreSQL", "problem", found, todo)]


def _postgres(settings: Settings, connection: asyncpg.Connection) -> Finding:
    version = connection.get_server_version()
    number = version.major * 10000
    found = f"{connections.place(settings)} answers, version {version.major}.{version.minor}"
    if number < _MIN_POSTGRES:
        return Finding("PostgreSQL", "problem", found, "use PostgreSQL 16 or newer")
    return Finding("PostgreSQL", "ok", found)


async def _tables(connection: asyncpg.Connection) -> Finding:
    try:
        await migrate.check(connection)
    except LetheError as error:
        return Finding("Tables", "problem", str(error), "lethe migrate")
    return Finding("Tables", "ok", f"{len(migrate.migrations())} migrations applied")


async def _keyring(settings: Settings, connection: asyncpg.Connection) -> Finding:
    try:
        keyring = keyrings.load(settings.keyring_dir)
        await migrate.check_keyring(connection, keyring)
    except LetheError as error:
        return Finding("Keyring", "problem", str(error))
    except asyncpg.PostgresError:
        return Finding("Keyring", "note", "not compared, because the tables are missing")
    return Finding("Keyring", "ok", f"belongs to this database; key epoch {keyring.current_epoch} is in use")


def _keyring_files(directory: Path) -> list[Finding]:
    """Keys that others may read are no secret; keys beside the database are stolen with it."""
    if not directory.is_dir():
        return [
            Finding(
                "Keyring files",
                "problem",
                f"{directory} does not exist",
                "lethe migrate, or set LETHE_KEYRING_DIR",
            )
        ]
    loose = [path for path in (directory, *directory.rglob("*")) if _others_may(path)]
    if loose:
        todo = f"chmod -R go= {directory}"
        return [Finding("Keyring files", "problem", f"{len(loose)} of them are open to other users", todo)]
    return [Finding("Keyring files", "ok", f"{directory} is its owner's alone")]


def _others_may(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _carriers(directory: Path) -> Finding:
    try:
        known: Iterable[str] = carrier_files.load(directory)
    except LetheError as error:
        return Finding("Carriers", "problem", str(error), "set LETHE_CARRIERS_DIR, or mend the file")
    return Finding("Carriers", "ok", f"{directory}: {', '.join(known)}")


def _web_port(settings: Settings) -> Finding:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.web_host, settings.web_port))
        except OSError as error:
            return Finding(
                "Web port",
                "note",
                f"{settings.web_host}:{settings.web_port} is in use or not ours ({error.strerror})",
                "nothing, if that is a worker; otherwise set LETHE_WEB_PORT",
            )
    return Finding("Web port", "ok", f"{settings.web_host}:{settings.web_port} is free")
