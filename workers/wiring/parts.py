"""What every worker of a process shares, and what wiring one gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import asyncpg
import mode
from prometheus_client import CollectorRegistry

from workers import carriers as carrier_files
from workers.db import migrate
from workers.domain.carriers import Carrier
from workers.engine import database, host, restore_fence
from workers.engine.exit import Exit
from workers.engine.intake import Intake
from workers.metrics import Metrics
from workers.settings import Settings
from workers.vault import epochs
from workers.vault import keyring as keyrings
from workers.vault.keyring import Keyring
from workers.vault.subjects import SubjectVault


class Parts(NamedTuple):
    """Shared by the workers of one process."""

    settings: Settings
    pool: asyncpg.Pool
    keyring: Keyring
    vault: SubjectVault
    carriers: Mapping[str, Carrier]
    metrics: Metrics
    exit: Exit


@dataclass
class Wired:
    """One worker, put together: services to start in this order, and intakes whose progress /health watches.

    `ready` says whether a part that is no intake (a listener, say) does its work yet.
    """

    services: list[mode.ServiceT] = field(default_factory=list)
    intakes: list[Intake] = field(default_factory=list)
    ready: Callable[[], bool] = lambda: True


Wire = Callable[[host.Host, Parts], Wired]


async def prepare(settings: Settings) -> Parts:
    """Connect, and check that database and keyring belong together, are of this version, and were not restored from
    an older backup."""
    parts = await connect(settings)
    await epochs.adopt(parts.pool, parts.keyring, settings.keyring_dir)
    await restore_fence.check(parts.pool, settings)
    return parts


async def connect(settings: Settings) -> Parts:
    """Connect, and check that database and keyring belong together and are of this version."""
    pool = await database.connect(settings, max_size=8, is_worker=True)
    await migrate.check(pool)
    keyring = keyrings.load(settings.keyring_dir)
    await migrate.check_keyring(pool, keyring)
    vault = SubjectVault(keyring)
    carriers = carrier_files.load(settings.carriers_dir)
    return Parts(settings, pool, keyring, vault, carriers, Metrics(CollectorRegistry()), Exit())
