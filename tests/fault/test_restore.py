"""A backup of the database taken before, restored after: nobody is brought back, no carrier is told anything twice."""

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import asyncpg
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests.fault.conftest import QUICK, labels
from tests.support import backups, lethe, people
from tests.support.endpoints import Endpoints
from tests.support.orders import placed
from tests.support.waiting import wait_until
from tests.support.worker_process import worker_process
from workers import clock, ledger, purposes
from workers.cli.local import environment
from workers.consent.desk import ConsentDesk
from workers.db import sql
from workers.domain.consent import ConsentChange, Entity, Kind
from workers.engine import database, restore_fence
from workers.mail.desk import MailDesk
from workers.settings import Settings
from workers.vault import keyring, rotation, sealing
from workers.vault.subjects import SubjectVault

CUSTOMERS = [f"customer-{number}" for number in range(60)]
ERASED = CUSTOMERS[:20]
EMAILS = [f"reader-{number}@example.org" for number in range(30)]
WITHDRAWN = EMAILS[:10]
WORKERS = ("shipping", "relay", "newsletter")
OLD = datetime.now(UTC) - timedelta(hours=2)


class Lost(NamedTuple):
    """A shop whose database was restored from a backup, and what carriers had been told until then."""

    settings: Settings
    told: Counter[str]


def orders(prefix: str, customers: list[str]) -> list[object]:
    return [
        placed(f"{prefix}-{customer}", customer, event_id=f"{prefix}-{customer}", time=OLD) for customer in customers
    ]


async def _pool(settings: Settings) -> tuple[asyncpg.Pool, SubjectVault, ConsentDesk]:
    ring = keyring.load(settings.keyring_dir)
    vault = SubjectVault(ring)
    desk = ConsentDesk(vault, ring, purposes.load(settings.purposes_file), MailDesk(), settings)
    return await database.connect(settings), vault, desk


async def _subscribe(settings: Settings) -> None:
    connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
    await people.subscribe(connection, keyring.load(settings.keyring_dir), EMAILS)
    await connection.close()


async def _erase_and_withdraw(settings: Settings) -> None:
    """As the workers do it: the ledger is told in the same transactions."""
    pool, vault, desk = await _pool(settings)
    erasure, now = sql.queries("erasure"), clock.system_clock()
    hashes = [UUID(bytes=vault.reference_hash(name)) for name in ERASED]
    try:
        async with pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch("select subject_id from subjects where reference_hash = any($1)", hashes)
            ids = [row[0] for row in rows]
            await connection.execute(erasure["fence"], ids, now)
            await connection.execute(erasure["record_erased"], hashes, now)
            for name in ("erase_shipments", "erase_disclosures", "erase_subjects"):
                await connection.execute(erasure[name], ids)
            await ledger.tell_erased(connection, settings, hashes, now)
        changes = [
            ConsentChange(Kind.WITHDRAWN, "newsletter", Entity.SUBJECT, "web_form", now, email=email)
            for email in WITHDRAWN
        ]
        async with pool.acquire() as connection, connection.transaction():
            await desk.apply(connection, changes, now)
    finally:
        await pool.close()


async def _wait_relayed(settings: Settings) -> None:
    connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
    wanted = await connection.fetchval("select sum(next_position) from relay_shards")
    await connection.close()
    assert wanted
    for _ in range(600):
        if sum((await restore_fence.relay_published(settings)).values()) == wanted:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the relay published nothing")


async def _rotate(settings: Settings) -> None:
    pool = await database.connect(settings)
    await rotation.rotate(pool, settings.keyring_dir, clock.system_clock)
    await pool.close()


def _told(settings: Settings) -> Counter[str]:
    return Counter(read.event_id for read in lethe.read_carriers(settings))


def lose(stack: Endpoints, settings: Settings, folder: Path, *, rotations: int, trim: bool = False) -> Lost:
    """A life of which the second half is missing from the database afterwards."""
    dsn = settings.database_dsn.get_secret_value()
    lethe.in_a_loop(_subscribe(settings))
    with worker_process(settings, WORKERS):
        lethe.publish(settings, orders("before", CUSTOMERS))  # type: ignore[arg-type]  # tuples with the same three names
        lethe.wait_drained(settings)
    backups.take(dsn, folder / "backup")
    with worker_process(settings, WORKERS):
        lethe.publish(settings, orders("between", CUSTOMERS[40:]))  # type: ignore[arg-type]  # likewise
        lethe.wait_drained(settings)
        lethe.in_a_loop(_erase_and_withdraw(settings))
        lethe.in_a_loop(_wait_relayed(settings))
        for _ in range(rotations):
            lethe.in_a_loop(_rotate(settings))
    if trim:
        ends = [TopicPartition(settings.topic("orders"), number, end) for number, end in lethe.ends(settings).items()]
        admin = AdminClient(settings.kafka_admin)  # gone, it would answer nobody
        for done in admin.delete_records(ends).values():
            done.result(30)
    backups.restore(stack, dsn, folder / "backup")
    return Lost(settings, _told(settings))


def restore(settings: Settings, crash_at: str = "") -> tuple[int, str]:
    variables = {**environment.for_child(settings, lethe.ROOT), "LETHE_CRASH_AT": crash_at}
    done = subprocess.run(
        [sys.executable, "-m", "workers", "restore"], env=variables, cwd=lethe.ROOT, capture_output=True, timeout=240,
        text=True,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


async def _judge(settings: Settings) -> None:
    pool, vault, desk = await _pool(settings)
    try:
        async with pool.acquire() as connection, connection.transaction():
            found = {row["reference_hash"] for row in await connection.fetch("select reference_hash from subjects")}
            gone = {UUID(bytes=vault.reference_hash(name)) for name in ERASED}
            kept = {UUID(bytes=vault.reference_hash(name)) for name in CUSTOMERS} - gone
            assert not gone & found, "an erased person came back"
            assert kept <= found
            known = await connection.fetch("select reference_hash from erased_references")
            assert {row[0] for row in known} == gone
            rows = await connection.fetch("select subject_id, shipment_id, recipient from shipments")
            subjects = await vault.hold_by_id(connection, {row["subject_id"] for row in rows})
            for subject_id, shipment_id, recipient in rows:
                place = sealing.place("shipments", "recipient", subject_id, shipment_id)
                assert b"Erika Beispiel" in subjects[subject_id].key.unseal(recipient, place)
            contacts = await connection.fetch("select contact_id from contacts")
            opened = await desk.contacts_by_id(connection, [row[0] for row in contacts])
            assert {one.email for one in opened.values()} == set(EMAILS)
            for one in opened.values():
                (record,) = await desk.statuses(connection, one.contact_id)
                is_valid = record.record.status == "ConsentGiven"
                assert is_valid == (one.email not in WITHDRAWN), f"{record.record.status}"
                no = await desk.suppression(connection, one.email, "newsletter")
                assert (no is not None) == (one.email in WITHDRAWN)
    finally:
        await pool.close()


def shipments(settings: Settings) -> set[str]:
    async def read() -> set[str]:
        connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
        rows = await connection.fetch("select shipment_id from shipments")
        await connection.close()
        return {row[0] for row in rows}

    return lethe.in_a_loop(read())


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path) -> Settings:
    return lethe.prepare(stack, prefix, database, tmp_path, **QUICK)


def assert_refused(settings: Settings) -> None:
    """By any worker, also one that reads nothing that was lost."""
    with worker_process(settings, ("newsletter",), ready=False) as worker:
        assert worker.wait() == 78
        assert "lethe restore" in worker.log


@pytest.mark.parametrize("rotations", [0, 2])
def test_nobody_comes_back_and_others_are_read(
    rotations: int, stack: Endpoints, settings: Settings, tmp_path: Path
) -> None:
    lost = lose(stack, settings, tmp_path, rotations=rotations)
    assert_refused(settings)
    code, said = restore(settings)
    assert code == 0, said
    assert "20 since the backup; 20 persons" in said or rotations, said
    lethe.in_a_loop(_judge(settings))
    assert restore(settings)[1].startswith("nothing to do")
    between = {f"between-{name}" for name in CUSTOMERS[40:]}
    assert between <= shipments(settings), "what the log still held was applied again"
    with worker_process(settings, WORKERS):
        lethe.publish(settings, orders("before", ERASED))  # type: ignore[arg-type]  # tuples with the same three names
        lethe.publish(settings, [placed("later", "customer-50", event_id="later")])
        lethe.wait_drained(settings)
        wait_until(lambda: _told(settings)["later/1"] or len(_told(settings)) > len(lost.told), 60, "the later order")
    told = _told(settings)
    assert all(count == 1 for count in told.values()), "a carrier was told twice"
    assert len(told) == len(lost.told) + 1
    lethe.in_a_loop(_judge(settings))


def test_what_was_trimmed_is_named_and_nothing_is_told_twice(
    stack: Endpoints, settings: Settings, tmp_path: Path
) -> None:
    lost = lose(stack, settings, tmp_path, rotations=1, trim=True)
    code, said = restore(settings)
    assert code == 0, said
    assert "no longer in the log" in said
    lethe.in_a_loop(_judge(settings))
    assert shipments(settings).isdisjoint({f"between-{name}" for name in CUSTOMERS[40:]})
    with worker_process(settings, WORKERS):
        lethe.publish(settings, [placed("later", "customer-50", event_id="later")])
        lethe.wait_drained(settings)
    told = _told(settings)
    assert all(count == 1 for count in told.values())
    assert len(told) == len(lost.told) + 1


def test_a_restore_killed_at_every_step_is_finished_by_the_next(
    stack: Endpoints, settings: Settings, tmp_path: Path
) -> None:
    lost = lose(stack, settings, tmp_path, rotations=1)
    for label in labels("restore.begun", "restore.keys", "restore.ledger", "restore.positions", "restore.rotated"):
        code, said = restore(settings, f"{label}:1")
        assert code == -signal.SIGKILL, said
        assert_refused(settings)
    assert restore(settings)[0] == 0
    lethe.in_a_loop(_judge(settings))
    with worker_process(settings, WORKERS):
        pass
    assert _told(settings) == lost.told
