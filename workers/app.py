"""The composition root: puts a worker process together from the parts in `workers/wiring/`."""

import asyncio
import gc
import importlib
import logging
from collections.abc import Mapping
from typing import cast

import faust

from workers.engine import host
from workers.engine.keyring_watch import KeyringWatch
from workers.engine.session_watch import SessionWatch
from workers.errors import UsageError
from workers.settings import Settings
from workers.web import health
from workers.wiring import parts as wiring
from workers.wiring.parts import Wire

WORKERS = (
    "shipping", "carrier_receipts", "relay", "newsletter", "mailer", "web", "postbox", "announcements", "stores",
    "requests",
)  # fmt: skip
"""Each is wired by the module of its name in `workers/wiring/`."""

PROCESSES: Mapping[str, tuple[str, ...]] = {
    "shipping": ("shipping",),
    "relay": ("relay", "carrier_receipts", "newsletter", "announcements", "stores"),
    "people": ("mailer", "web", "postbox"),
    "requests": ("requests",),
}
"""How `lethe up` spreads them over processes."""


def run(settings: Settings, names: tuple[str, ...], web_port: int) -> None:
    """Run the named workers in this process until a signal ends it. Raises UsageError before anything starts."""
    unknown = set(names) - set(WORKERS)
    if unknown:
        raise UsageError(f"no worker is called {', '.join(sorted(unknown))}; there are: {', '.join(WORKERS)}")
    loop = _new_loop()
    parts = loop.run_until_complete(wiring.prepare(settings))
    app = host.create(f"{settings.prefix}lethe", settings, web_port)
    wired = [wire(name)(app, parts) for name in names]
    for one in wired:
        app.last_services += one.services
    app.last_services.append(KeyringWatch(parts.pool, parts.keyring, settings, parts.exit))
    app.last_services.append(SessionWatch(parts.pool, settings, parts.exit))
    health.mount(app, parts.metrics, wired, settings)
    worker = faust.Worker(
        app, loop=loop, override_logging=False, redirect_stdouts=False, quiet=True, loglevel=logging.WARNING
    )
    worker.spinner = None
    _calm_collector()
    worker.execute_from_commandline()


def wire(name: str) -> Wire:
    """What puts the worker of this name together."""
    return cast(Wire, importlib.import_module(f"workers.wiring.{name}").wire)


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
