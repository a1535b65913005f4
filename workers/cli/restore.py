"""`lethe restore`: a database that was restored from a backup, brought up to date before any worker starts."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.settings import Settings


def restore() -> None:
    """Replay what happened since the backup: erasures, suppressions, destroyed keys. Then workers may start.

    Workers refuse to start on a database that is older than Kafka or the keyring. Stop all of them, restore the
    backup, run this; never restore an older keyring together with the database. What carriers were told since the
    backup is not said again: what the log still holds is applied again, what was trimmed is lost to this database,
    and named. May be interrupted and run again.

    Example: lethe restore
    """
    import typer

    from workers import settings as settings_module

    asyncio.run(carry_out(settings_module.load(), typer.echo))


async def carry_out(settings: "Settings", say: Callable[[str], object]) -> None:
    """Do it, with a line to `say` for each thing done. Raises LetheError."""
    from workers import app, clock
    from workers.cli import connections
    from workers.db import migrate
    from workers.engine import host
    from workers.restore import restoration
    from workers.wiring import consent
    from workers.wiring import parts as wiring

    async with connections.database(settings) as connection:
        await migrate.check(connection)
        await restoration.refuse_beside_workers(connection)
    parts = await wiring.connect(settings)
    try:
        found = await restoration.signs(parts.pool, settings)
        if not any(found):
            say("nothing to do: the database is not older than Kafka and the keyring")
            return
        faust_app = host.create(f"{settings.prefix}lethe", settings, settings.web_port)
        wired = [app.wire(name)(faust_app, parts) for name in app.WORKERS] if found.partitions else []
        intakes = {intake.consumer_group: intake for one in wired for intake in one.intakes}
        tools = restoration.Tools(
            settings, parts.pool, parts.keyring, consent.desk(parts), intakes, clock.system_clock, say
        )  # fmt: skip
        await restoration.restore(tools, found)
        say("done: workers may start")
    finally:
        await parts.pool.close()
