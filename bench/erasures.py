"""Erasures, end to end: from the request on its topic to the certificate, over four stores that are looked at again.

Three stores are PostgreSQL databases of their own, the fourth a folder with a CSV file; each is a real one. Every
request is verified absence in all four, rows and keys deleted, topics trimmed, the key epoch destroyed, certified. The
bystanders are other people, in Lethe's database and in the three databases, with a row or two each; the file lists only
who is erased, since any file is read as a whole.
"""

import asyncio
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg
import yaml
from confluent_kafka import Producer

from bench import keys
from bench.observer import Report
from bench.site import QUIET, BenchError, Site
from workers.cli import migrate, topics
from workers.cli.local import environment
from workers.settings import Settings
from workers.vault import keyring

_ROOT = Path(__file__).resolve().parent.parent
_DATABASES = ("shop", "crm", "support")
_TIMEOUT_S = 900.0
_POLL_S = 0.2
_EXTRA = 3
_TABLE = """
    create table customers (id bigint primary key, reference text unique, email text unique, name text);
    create index on customers (lower(email))"""  # addresses are compared in any case: else each task reads the table


class Erased(NamedTuple):
    """`per_s` over all `people`, from the first request published to the last certificate; `latency_s` of one request
    on the idle system, the median of three."""

    people: int
    bystanders: int
    per_s: float
    latency_s: float


def measure(site: Site, people: int, bystanders: int, report: Report) -> Erased:
    """Erase that many persons at once, then three one by one. Raises BenchError when it erased too few, or others."""
    prefix = f"er{bystanders}."
    own = site.data_dir / prefix
    (own / "exports").mkdir(parents=True)
    (own / "stores").mkdir()
    dsns = {name: site.create_database(f"er{bystanders}_{name}", migrated=False) for name in _DATABASES}
    settings = _settings(site, prefix, own, dsns, site.create_database(f"er{bystanders}", migrated=False))
    asyncio.run(migrate.prepare(settings, lambda _line: None))
    desk = topics.desk(settings)
    desk.admin.apply(desk.changes())
    asyncio.run(_fill(dsns, people + _EXTRA, bystanders))
    _export(own / "exports" / "customers.csv", people + _EXTRA)
    if bystanders:
        asyncio.run(_stand_by(settings, bystanders, report))
    with _workers(settings, own, "shipping", "relay", "stores"), _workers(settings, own, "requests"):
        erased = asyncio.run(_measure(settings, people, bystanders, report))
    site.delete_topics(prefix)
    return erased


async def _stand_by(settings: Settings, bystanders: int, report: Report) -> None:
    """People with a data key, an order and a disclosure each."""
    pool = await asyncpg.create_pool(
        settings.database_dsn.get_secret_value(), min_size=1, max_size=2, command_timeout=600
    )
    try:
        await keys.fill(pool, keyring.load(settings.keyring_dir), bystanders, report)
        await pool.execute(_ORDERS_OF_BYSTANDERS)
        await pool.execute("vacuum analyze")
    finally:
        await pool.close()


async def _measure(settings: Settings, people: int, bystanders: int, report: Report) -> Erased:
    pool = await asyncpg.create_pool(settings.database_dsn.get_secret_value(), min_size=1, max_size=2)
    try:
        total = people + _EXTRA
        _publish(settings, "orders", (_order(number) for number in range(total)))
        await _until(lambda: pool.fetchval(_TAKEN_IN), total)
        started_s = time.monotonic()
        _publish(settings, "requests", (_request(number) for number in range(people)))
        await _until(lambda: pool.fetchval(_DONE), people, lambda done: report(done / people))
        per_s = people / (time.monotonic() - started_s)
        latencies = []
        for number in range(people, total):
            started_s = time.monotonic()
            _publish(settings, "requests", [_request(number)])
            await _until(lambda: pool.fetchval(_DONE), number + 1)
            latencies.append(time.monotonic() - started_s)
        left = await pool.fetchval(_TAKEN_IN)
        if await pool.fetchval("select count(*) from shipments") != bystanders:
            raise BenchError("an order of a bystander was lost")
        certified = await pool.fetchval("select count(*) from certificates where outcome = 'completed'")
        if left or certified != total:
            raise BenchError(f"{left} orders were left, {certified} of {total} persons were certified")
        return Erased(people, bystanders, per_s, sorted(latencies)[len(latencies) // 2])
    finally:
        await pool.close()


_TAKEN_IN = "select count(*) from shipments where email_hash is not null and shipment_id not like 'b-%'"
_ORDERS_OF_BYSTANDERS = """
    with people as (select subject_id from subjects), orders as (
        insert into shipments (
            shipment_id, subject_id, carrier, state, revision, contact_consent, recipient, placed_at, email_hash
        )
        select 'b-' || subject_id, subject_id, 'gls', 'assigned', 1, false, decode(repeat('5e', 200), 'hex'), now(),
            gen_random_uuid()
        from people
    )
    insert into disclosures (subject_id, shipment_id, revision, recipient, action, fields, legal_basis)
    select subject_id, 'b-' || subject_id, 1, 'gls', 'assigned', 'name lines city', 'dpv:Contract' from people"""
_DONE = "select count(*) from requests where state = 'completed'"


def _settings(site: Site, prefix: str, own: Path, dsns: Mapping[str, str], dsn: str) -> Settings:
    tables = [{"table": "customers", "keys": {"email": "email", "customer_ref": "reference"}}]
    stores: dict[str, tuple[str, dict[str, object]]] = {
        name: ("postgresql", {"dsn": _secret(own / f"{name}.dsn", dsn), "tables": tables}) for name, dsn in dsns.items()
    }
    files = [{"what": "customers", "glob": "customers.csv", "format": "csv",
              "keys": {"email": "email", "customer_ref": "reference"}}]  # fmt: skip
    stores["exports"] = ("folder", {"path": str(own / "exports"), "files": files})
    for name, (kind, options) in stores.items():
        head = {"name": name, "title": name, "kind": kind, "identifiers": ["email", "customer_ref"],
                "options": options}  # fmt: skip
        (own / "stores" / f"{name}.yaml").write_text(yaml.safe_dump(head))
    chosen = {
        "prefix": prefix, "kafka_bootstrap": site.stack.bootstrap, "keyring_dir": own / "keyring",
        "database_dsn": dsn, "carriers_dir": site.carriers_dir,
        "stores_dir": own / "stores", "purposes_file": _ROOT / "deploy/purposes.yaml", "orders_in_flight": "cancel",
        "policies_dir": _ROOT / "deploy/policies", "erasure_poll_s": 0.1, "relay_poll_s": 0.05,
        "segment_ms": 1000,  # a certificate waits until the carriers' topics are compacted, closed segments first
    }  # fmt: skip
    return Settings.model_validate(chosen)


def _secret(file: Path, value: str) -> str:
    """How a store's file names it: secrets do not stand in there."""
    file.write_text(value)
    return f"file:{file}"


async def _fill(dsns: Mapping[str, str], people: int, bystanders: int) -> None:
    """Those who are erased first, then the others."""
    for dsn in dsns.values():
        connection = await asyncpg.connect(dsn)
        await connection.execute(_TABLE)
        rows = ((number, f"c-{number}", f"p{number}@example.org", "Ada") for number in range(people + bystanders))
        await connection.copy_records_to_table("customers", records=rows)
        await connection.execute("vacuum analyze customers")
        await connection.close()


def _export(file: Path, people: int) -> None:
    lines = ["reference,email", *(f"c-{number},p{number}@example.org" for number in range(people))]
    file.write_text("\n".join(lines) + "\n")


def _headers(event_type: str) -> list[tuple[str, str | bytes | None]]:
    return [
        ("ce_specversion", "1.0"), ("ce_id", uuid.uuid4().hex), ("ce_source", "/bench"), ("ce_type", event_type),
        ("ce_time", datetime.now(UTC).isoformat()), ("content-type", "application/json"),
    ]  # fmt: skip


Event = tuple[str, bytes, Sequence[tuple[str, str | bytes | None]]]


def _order(number: int) -> Event:
    to = {"name": "Ada Example", "lines": ["1 Sample Street"], "city": "Paris", "postal_code": "75011",
          "country_code": "FR", "email": f"p{number}@example.org"}  # fmt: skip
    body = {"order_id": f"o-{number}", "customer_ref": f"c-{number}", "carrier": "gls", "ship_to": to}
    return f"c-{number}", json.dumps(body).encode(), _headers("order.placed")


def _request(number: int) -> Event:
    request_id = str(uuid.uuid4())
    body = {
        "subject_request_id": request_id,
        "submitted_time": datetime.now(UTC).isoformat(),
        "subject_identities": [{"identity_type": "controller_customer_id", "identity_value": f"c-{number}"}],
    }
    return request_id, json.dumps(body).encode(), _headers("erasure.requested")


def _publish(settings: Settings, topic: str, events: Iterable[Event]) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap, "enable.idempotence": True}, logger=QUIET)
    for key, value, headers in events:
        producer.produce(settings.topic(topic), value, key, headers=list(headers))
        producer.poll(0)
    if producer.flush(60):
        raise BenchError("Kafka did not take every event in within a minute")


async def _until(read: Callable[[], Awaitable[int]], wanted: int, say: Callable[[int], object] | None = None) -> None:
    deadline_s = time.monotonic() + _TIMEOUT_S
    while (found := await read()) < wanted:
        if say is not None:
            say(found)
        if time.monotonic() > deadline_s:
            raise BenchError(f"only {found} of {wanted} within {_TIMEOUT_S:.0f} s")
        await asyncio.sleep(_POLL_S if wanted > 1000 else 0.02)


@contextmanager
def _workers(settings: Settings, own: Path, *names: str) -> Iterator[None]:
    port = str(_free_port())
    command = [sys.executable, "-m", "workers", "worker", *names, "--web-port", port]
    with (own / f"{names[0]}.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, cwd=_ROOT, env=environment.for_child(settings, _ROOT)
        )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _free_port() -> int:
    from deploy.local import ports

    return ports.choose(1)[0]
