"""The worker `stores`."""

import os
import secrets
from collections.abc import Mapping

from workers import clock, store_tasks
from workers.engine import host
from workers.mail.desk import MailDesk
from workers.stores import connectors, directory
from workers.stores.directory import Store
from workers.stores.human import PersonDesk
from workers.stores.jobs import Jobs
from workers.stores.runner import Runner
from workers.wiring import batches
from workers.wiring.parts import Parts, Wired


def person_desk(parts: Parts, stores: Mapping[str, Store], jobs: Jobs) -> PersonDesk:
    """Asks people, and takes what they answer."""
    return PersonDesk(stores, jobs, parts.keyring, parts.vault, MailDesk(), parts.settings)


def wire(app: host.Host, parts: Parts) -> Wired:
    """Tasks for the stores that Lethe works on, and the runner that carries them out."""
    settings = parts.settings
    stores = directory.load(settings.stores_dir, settings.keyring_dir)
    jobs = Jobs(parts.keyring, settings, f"{os.getpid()}.{secrets.token_hex(4)}")
    people = person_desk(parts, stores, jobs)
    wired = batches.wire(
        app, parts, store_tasks.NAME, store_tasks.TOPIC, lambda: store_tasks.StoreTasksUnit(stores, jobs)
    )
    runner = Runner(
        stores, connectors.Surroundings(settings), jobs, people, parts.pool, settings, parts.metrics,
        clock.system_clock, parts.exit,
    )  # fmt: skip
    return Wired([runner, *wired.services], wired.intakes)
