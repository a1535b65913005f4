"""The composition root: the one place that knows every concrete part and puts a worker process together."""

import asyncio
import gc
import logging
from collections.abc import Mapping
from typing import NamedTuple

import asyncpg
import faust
from prometheus_client import CollectorRegistry

from workers import carriers as carrier_files
from workers import clock, shipping
from workers.db import migrate
from workers.domain.carriers import Carrier
from workers.engine import database, host
from workers.engine.admission import Admission
from workers.engine.batch import BatchTransaction
from workers.engine.exit import Exit
from workers.engine.housekeeping import Housekeeper
from workers.engine.intake import Intake
from workers.engine.parking import ParkingLot
from workers.engine.relay import Relay
from workers.engine.replay import Replayer
from workers.errors import UsageError
from workers.metrics import Metrics
from workers.settings import Settings
from workers.vault import keyring as keyrings
from workers.vault.keyring import Keyring
from workers.vault.subjects import SubjectVault
from workers.web import health

WORKERS = ("shipping", "relay")


class Parts(NamedTuple):
    """What every worker of a process shares."""

    settings: Settings
    pool: asyncpg.Pool
    keyring: Keyring
    vault: SubjectVault
    carriers: Mapping[str, Carrier]
    metrics: Metrics
    exit: Exit


def run(settings: Settings, names: tuple[str, ...], web_port: int) -> None:
    """Run the named workers in this process until a signal ends it. Raises UsageError before anything starts."""
    unknown = set(names) - set(WORKERS)
    if unknown:
        raise UsageError(f"no worker is called {', '.join(sorted(unknown))}; there are: {', '.join(WORKERS)}")
    loop = _new_loop()
    parts = loop.run_until_complete(_prepare(settings))
    app = host.create(f"{settings.prefix}lethe", settings, web_port)
    intakes = [_shipping(app, parts)] if "shipping" in names else []
    relays = [_relay(parts, shard) for shard in range(settings.relay_shards)] if "relay" in names else []
    app.last_services += relays
    health.mount(app, parts.metrics, intakes, settings)
    worker = faust.Worker(
        app, loop=loop, override_logging=False, redirect_stdouts=False, quiet=True, loglevel=logging.WARNING
    )
    worker.spinner = None
    _calm_collector()
    worker.execute_from_commandline()


async def _prepare(settings: Settings) -> Parts:
    pool = await database.connect(settings)
    await migrate.check(pool)
    keyring = keyrings.load(settings.keyring_dir)
    await migrate.check_keyring(pool, keyring)
    vault = SubjectVault(keyring)
    carriers = carrier_files.load(settings.carriers_dir)
    return Parts(settings, pool, keyring, vault, carriers, Metrics(CollectorRegistry()), Exit())


def _shipping(app: host.Host, parts: Parts) -> Intake:
    settings, group = parts.settings, parts.settings.group(shipping.NAME)
    admission = Admission(group, shipping.TOPIC, parts.keyring, settings)
    lot = ParkingLot(group, settings.topic(f"{shipping.NAME}.dead-letters"), parts.keyring)
    transaction = BatchTransaction(
        parts.pool,
        parts.vault,
        lot,
        lambda: shipping.ShippingUnit(parts.carriers, settings),
        group,
        settings,
        parts.metrics,
        clock.system_clock,
    )
    deliveries = host.channel(app)
    intake = Intake(
        settings.topic(shipping.TOPIC),
        group,
        deliveries,
        admission,
        transaction,
        parts.pool,
        parts.vault,
        settings,
        parts.metrics,
        clock.system_clock,
        parts.exit,
    )
    replayer = Replayer(
        group, parts.pool, parts.keyring, admission, transaction, settings, clock.system_clock, parts.exit
    )
    host.agent(app, shipping.NAME, deliveries, intake)
    housekeeper = Housekeeper(group, parts.pool, settings, parts.metrics, clock.system_clock, parts.exit)
    app.last_services += [housekeeper, replayer, intake]
    return intake


def _relay(parts: Parts, shard: int) -> Relay:
    return Relay(shard, parts.pool, parts.vault, parts.settings, parts.metrics, parts.exit)


def _calm_collector() -> None:
    """Batches are thousands of short-lived objects without cycles: look for cycles rarely, and not in the program.

    With Python's defaults a third of a worker's time goes into garbage collection.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)


def _new_loop() -> asyncio.AbstractEventLoop:
    import uvloop

    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop
