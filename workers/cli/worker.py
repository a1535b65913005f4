"""`lethe worker`: run workers in this process."""

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from workers.settings import Settings

_POLL_S = 0.1


def worker(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]…", help="shipping, relay, newsletter, mailer; all of them when none is named."),
    ] = None,
    web_port: Annotated[
        int | None,
        typer.Option("--web-port", min=1, max=65535, help="Where /health, /ready and /metrics are."),
    ] = None,
    wait_s: Annotated[
        float,
        typer.Option("--wait", min=0, help="Seconds to wait for PostgreSQL, its tables, Kafka and its topics."),
    ] = 0.0,
) -> None:
    """Run the named workers in this process until SIGTERM or Ctrl-C; what was read is finished first.

    Any number may run at once: they share the partitions. It ends with 78 when a person must act before it makes
    sense to start it again, with 70 when a supervisor should simply do so.

    Example: lethe worker shipping --web-port 6066
    """
    from workers import app, log
    from workers import settings as settings_module

    settings = settings_module.load()
    log.configure(settings.log_format)
    asyncio.run(_await_servers(settings, wait_s))
    app.run(settings, tuple(names or app.WORKERS), web_port or settings.web_port)


async def _await_servers(settings: "Settings", wait_s: float) -> None:
    """Return once all that a worker needs is there. Raises LetheError when it is not in time."""
    from workers.errors import LetheError, Stop

    deadline_s = time.monotonic() + wait_s
    while True:
        try:
            return await _look(settings, with_kafka=wait_s > 0)
        except Stop:
            raise
        except LetheError:
            if time.monotonic() >= deadline_s:
                raise
        await asyncio.sleep(_POLL_S)


async def _look(settings: "Settings", with_kafka: bool) -> None:
    """Raises LetheError for what is missing. Without being told to wait, Kafka is left to the worker, which retries."""
    import asyncpg

    from workers.cli import connections
    from workers.cli.events import upstream
    from workers.db import migrate
    from workers.errors import LetheError

    try:
        async with connections.database(settings) as connection:
            await migrate.check(connection)
    except asyncpg.InvalidCatalogNameError:
        raise LetheError(f"the database {connections.place(settings)} does not exist: run `lethe migrate`") from None
    if with_kafka:
        for topic in ("orders", "relay.positions", "consents", "policies", "ledger"):
            await upstream.require_topic(settings, settings.topic(topic))
