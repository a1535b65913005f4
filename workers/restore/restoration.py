"""`lethe restore`, step by step. Every step may be repeated; until the last one no worker starts.

1. The newest key epoch of the keyring wraps again; destroyed ones stay destroyed. Data keys that the backup holds
   under destroyed epochs come from the survivors' copy; whoever is not in it was gone, and is deleted.
2. The ledger: erasures and suppressions since the backup; consents that they forbid end. Requests that were closed.
3. Mails that may have been sent since are not sent again, as far as they need consent.
4. Positions: nothing is published twice; effects are made again where the log still has the records.
5. A rotation: what step 2 deleted is unreadable in dead tuples and in the restored backup's own files.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import asyncpg

from workers.clock import Clock
from workers.consent.desk import ConsentDesk
from workers.db import sql
from workers.engine import crashpoints
from workers.engine.database import Connection
from workers.engine.intake import Intake
from workers.errors import KeyMissing, UsageError
from workers.restore import ledger_replay, people, positions, request_replay
from workers.restore.positions import Behind
from workers.settings import Settings
from workers.vault import epochs, key_files, rotation, survivors
from workers.vault.keyring import Keyring

_QUERIES = sql.queries("restore")
_EPOCHS = sql.queries("key_epochs")
Say = Callable[[str], object]


class Tools(NamedTuple):
    """What a restoration works with. `intakes`: the workers' own, by group."""

    settings: Settings
    pool: asyncpg.Pool
    keyring: Keyring
    desk: ConsentDesk
    intakes: Mapping[str, Intake]
    clock: Clock
    say: Say


class Signs(NamedTuple):
    """By what a database is known as an older one."""

    relay: Mapping[int, int]
    partitions: list[Behind]
    epoch_destroyed: bool
    unfinished: bool


async def refuse_beside_workers(connection: Connection) -> None:
    """Raise UsageError while a worker, or another command of ours that works for long, is connected."""
    if count := await connection.fetchval(_QUERIES["sessions"]):
        raise UsageError(f"{count} connections of workers are open: stop every worker first, then run it again")


async def signs(pool: asyncpg.Pool, settings: Settings) -> Signs:
    """Compare the database with Kafka and the keyring. Raises KafkaError."""
    rows = await epochs.listed(pool)
    return Signs(
        await positions.relay_behind(pool, settings),
        await positions.behind(pool, settings),
        rows[-1].number in key_files.destroyed(settings.keyring_dir),
        await pool.fetchval(_QUERIES["unfinished"]) is not None,
    )


async def restore(tools: Tools, found: Signs) -> None:
    """Do all steps. Raises KeyMissing, Stop, KafkaError; run again it goes on."""
    pool, settings, now = tools.pool, tools.settings, tools.clock()
    if not found.unfinished:
        await pool.execute(_QUERIES["begin"], now)
    crashpoints.reach("restore.begun")
    await _keys(tools)
    crashpoints.reach("restore.keys")
    await positions.raise_relay(pool, settings, found.relay)
    erasures, persons = await ledger_replay.replay(pool, tools.desk, settings, now)
    tools.say(f"erasures     {erasures} since the backup; {persons} persons that it brought back are deleted again")
    crashpoints.reach("restore.ledger")
    requests = await request_replay.replay(pool, settings, now)
    tools.say(f"requests     {requests.closed} that ended since the backup are closed")
    for request_id in requests.lost:
        tools.say(f"             {request_id} was open and is lost with the database: take it up again from the person")
    await _mails(tools)
    lost = await _positions(tools, found)
    crashpoints.reach("restore.positions")
    ended = await people.end_consents(pool, tools.desk, now)
    tools.say(f"consents     {ended} that were withdrawn since the backup are ended")
    done = await rotation.rotate(pool, settings.keyring_dir, tools.clock)
    tools.say(f"rotation     epoch {done.current_epoch} is in use; what was deleted here cannot be read any more")
    crashpoints.reach("restore.rotated")
    report = {"erasures": erasures, "persons": persons, "consents": ended, "offsets_lost": lost}
    await pool.execute(_QUERIES["finish"], tools.clock(), json.dumps(report))


async def _keys(tools: Tools) -> None:
    directory: Path = tools.settings.keyring_dir
    current = max(tools.keyring.epochs)
    destroyed = sorted(key_files.destroyed(directory))
    if current < max(destroyed, default=0):
        raise KeyMissing("the keyring lacks the epoch that was in use: restore the newest copy of the keyring first")
    await tools.pool.execute(_EPOCHS["adopt_current"], [*destroyed, current])
    await tools.pool.execute(_EPOCHS["record_destroyed"], destroyed, tools.clock())
    await epochs.adopt(tools.pool, tools.keyring, directory)
    async with tools.pool.acquire() as connection, connection.transaction():
        brought = await survivors.bring_back(connection, directory, tools.keyring.epochs, destroyed)
    gone = await people.erase_unreadable(tools.pool, tools.desk, destroyed, tools.clock())
    tools.say(
        f"keys         epoch {current} wraps; {brought} data keys of destroyed epochs came from the survivors' copy, "
        f"{gone} persons who were gone before the last rotation are deleted"
    )


async def _mails(tools: Tools) -> None:
    now = tools.clock()
    status = await tools.pool.execute(_QUERIES["cancel_marketing"], now)
    tools.say(f"mails        {status.rpartition(' ')[2]} that need consent and may have been sent are cancelled")
    for row in await tools.pool.fetch(_QUERIES["pause_issues"], now):
        tools.say(
            f"             issue {row['name']} may have been sent: paused; `lethe newsletter cancel` or resume it"
        )


async def _positions(tools: Tools, found: Signs) -> int:
    """Returns how many offsets are lost to this database."""
    lost = 0
    for one in found.partitions:
        done = await positions.make_up(tools.pool, tools.settings, one, tools.intakes.get(one.group))
        lost += done.lost
        what = f"{done.applied} offsets applied again, nothing published again"
        if done.lost:
            what += (
                f"; {done.lost} are no longer in the log: what they changed is missing here though carriers may have "
                "been told; have the shop publish those events again"
            )
        tools.say(f"position     {done.group} {done.partition.topic}/{done.partition.partition}: {what}")
    await positions.forget_published(tools.pool, tools.settings)
    return lost
