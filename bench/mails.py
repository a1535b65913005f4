"""Mails per second: an issue to many, by Lethe's mailer and by a bare loop around aiosmtplib, into the same sink."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import asyncpg
import orjson
import psutil

from bench import mail_task
from bench.contender import environment, peak_rss
from bench.contenders.common import queries
from bench.mail_task import CONTENT, PURPOSE, MailTask
from bench.observer import Report
from bench.site import BenchError, Site
from deploy.local import ports
from workers.issues import book
from workers.mail import dkim
from workers.vault import keyring as keyrings
from workers.vault import sealing
from workers.vault.subjects import SubjectVault

LETHE, BARE = "lethe", "bare_aiosmtplib"
CONTENDERS = {LETHE: "lethe_mailer", BARE: "bare_mailer"}
_ROOT = Path(__file__).resolve().parent.parent
_CHILD = _ROOT / "deploy" / "local" / "child.py"
_SLICE = 5000
_STALL_TIMEOUT_S = 120
_POLL_S = 0.1
_MIB = 1024 * 1024
_CONTACTS = ("email_hash", "subject_id", "sealed", "language", "last_own_contact_at", "created_at")
_CONSENTS = ("record_id", "contact_id", "purpose", "status", "privacy_notice", "changed_at", "expires_at")


class Mailed(NamedTuple):
    """One run: mails per second between the first and the last at the sink; the contender's process beside it.

    `sink_us_per_mail` is the sink's own processor time: what it could take is a million divided by it.
    """

    mails_per_s: float
    cpu_us_per_mail: float
    sink_us_per_mail: float
    first_quarter_mb: float
    last_quarter_mb: float
    peak_mb: float


def measure(site: Site, name: str, mails: int, run: str, report: Report) -> Mailed:
    """Send `mails` by one contender and check that each recipient got one. Raises BenchError."""
    database, dkim_dir = f"{run}_{CONTENDERS[name]}", site.data_dir / "dkim"
    dkim.create(dkim_dir)
    dsn = site.create_database(database, migrated=name == LETHE)
    asyncio.run(_prepare(name, dsn, site.keyring_dir, mails))
    try:
        with _sink(site.data_dir / f"{database}.mails", mails) as (port, sink):
            task = MailTask(
                kafka_bootstrap=site.stack.bootstrap,
                dsn=dsn, keyring_dir=site.keyring_dir, dkim_dir=dkim_dir, smtp_port=port,
                purposes_file=_ROOT / "deploy" / "purposes.yaml", carriers_dir=site.carriers_dir,
            )  # fmt: skip
            with _contender(site, name, task) as process:
                return _watch(process, sink, name, site.data_dir / f"{database}.mails", mails, report)
    finally:
        site.drop_database(database)


def _watch(process: psutil.Process, sink: psutil.Process, name: str, file: Path, mails: int, report: Report) -> Mailed:
    samples: list[tuple[float, float]] = []
    before: tuple[float, int] | None = None
    taken, advanced_s = 0, time.monotonic()
    while not file.exists():
        time.sleep(_POLL_S)
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            raise BenchError(f"{name} ended by itself; see its log in {file.parent}")
        count = file.with_suffix(".count")
        now = int(count.read_text()) if count.exists() else 0
        if now > taken:
            before = before or (_cpu_s(process), now)  # what starting up took does not count
            taken, advanced_s = now, time.monotonic()
        elif time.monotonic() - advanced_s > _STALL_TIMEOUT_S:
            raise BenchError(f"{name}: {taken} of {mails} mails after {_STALL_TIMEOUT_S} s without progress")
        samples.append((taken / mails, process.memory_info().rss / _MIB))
        report(taken / mails)
    report(1.0)
    begun_s, begun = before or (0.0, 0)
    cpu_us = (_cpu_s(process) - begun_s) / max(1, mails - begun) * 1e6
    sink_us = _cpu_s(sink) / mails * 1e6
    peak_mb = peak_rss(process) / _MIB
    first_ns, last_ns = _verified(name, file, mails)
    early = [rss for share, rss in samples if 0.02 <= share <= 0.25] or [peak_mb]
    late = [rss for share, rss in samples if share >= 0.75] or [peak_mb]
    return Mailed((mails - 1) / ((last_ns - first_ns) / 1e9), cpu_us, sink_us, max(early), max(late), peak_mb)


def _verified(name: str, file: Path, mails: int) -> tuple[int, int]:
    times, *recipients = file.read_text().splitlines()
    if len(recipients) != mails or len(set(recipients)) != mails:
        raise BenchError(f"{name}: {len(recipients)} mails to {len(set(recipients))} of {mails} recipients")
    first, last = times.split()
    return int(first), int(last)


def _cpu_s(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return float(spent.user + spent.system)


@contextmanager
def _sink(file: Path, mails: int) -> Iterator[tuple[int, psutil.Process]]:
    port = ports.choose(1)[0]
    file.unlink(missing_ok=True)
    file.with_suffix(".count").unlink(missing_ok=True)
    command = [*_tied(), sys.executable, "-m", "bench.mail_sink", str(port), str(mails), str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(), cwd=file.parent) as process:
        assert process.stdout is not None
        try:
            if not process.stdout.readline():
                raise BenchError("the mail sink did not start")
            yield port, psutil.Process(process.pid)
        finally:
            process.kill()


@contextmanager
def _contender(site: Site, name: str, task: MailTask) -> Iterator[psutil.Process]:
    module = f"bench.contenders.{CONTENDERS[name]}"
    command = [*_tied(), sys.executable, "-m", module, str(ports.choose(1)[0])]
    with (site.data_dir / f"{CONTENDERS[name]}.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, cwd=site.data_dir, env=environment()
        )
    try:
        assert process.stdin is not None
        process.stdin.write(task.model_dump_json().encode())
        process.stdin.close()
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


def _tied() -> list[str]:
    """Through the embedded stack's helper: the process ends with us, however we end."""
    return [sys.executable, "-I", "-S", str(_CHILD), str(os.getpid()), str(int(signal.SIGKILL)), "-"]


async def _prepare(name: str, dsn: str, keyring_dir: Path, mails: int) -> None:
    """Everybody is in the ledger before the clock starts, on both sides."""
    connection = await asyncpg.connect(dsn)
    try:
        if name == BARE:
            await _prepare_bare(connection, mails)
        else:
            await _prepare_lethe(connection, keyrings.load(keyring_dir), mails)
        await connection.execute("vacuum analyze")
        await connection.execute("checkpoint")
    finally:
        await connection.close()


async def _prepare_bare(connection: asyncpg.Connection, mails: int) -> None:
    await connection.execute(queries("bare_mailer")["create"])
    numbers = range(1, mails + 1)
    rows = [(number, mail_task.email(number)) for number in numbers]
    await connection.copy_records_to_table("bare_mails", records=rows, columns=("contact_id", "email"))
    await connection.copy_records_to_table(
        "bare_consents", records=[(number, True) for number in numbers], columns=("contact_id", "consented")
    )


async def _prepare_lethe(connection: asyncpg.Connection, keyring: keyrings.Keyring, mails: int) -> None:
    for begin in range(1, mails + 1, _SLICE):
        emails = [mail_task.email(number) for number in range(begin, min(begin + _SLICE, mails + 1))]
        await _subscribe(connection, keyring, emails)
    now = datetime.now(UTC)
    issue_id = await book.schedule(connection, "bench", PURPOSE, {"en": CONTENT}, now, now)
    await book.start_due(connection, now)
    while await book.prepare_slice(connection, issue_id, now):
        pass


async def _subscribe(connection: asyncpg.Connection, keyring: keyrings.Keyring, emails: list[str]) -> None:
    now, vault = datetime.now(UTC), SubjectVault(keyring)
    hashes = {email: keyring.lookup_hash("email", email.encode()) for email in emails}
    async with connection.transaction():
        subjects = await vault.hold(connection, list(hashes.values()))
        contacts = []
        for email, hash_ in hashes.items():
            subject = subjects[hash_]
            place = sealing.place("contacts", "sealed", subject.subject_id, hash_.hex())
            sealed = subject.key.seal(orjson.dumps({"email": email}), place)
            contacts.append((uuid.UUID(bytes=hash_), subject.subject_id, sealed, "en", now, now))
        first = 1 + (await connection.fetchval("select coalesce(max(contact_id), 0) from contacts"))
        await connection.copy_records_to_table("contacts", records=contacts, columns=_CONTACTS)
        consents = [
            (uuid.uuid4(), first + offset, PURPOSE, "ConsentGiven", "2026-01", now, now + timedelta(days=1000))
            for offset in range(len(contacts))
        ]
        await connection.copy_records_to_table("consents", records=consents, columns=_CONSENTS)
