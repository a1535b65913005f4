"""A worker that applies one topic in batches: intake, admission, transaction, replays, housekeeping."""

from collections.abc import Callable, Sequence

from workers import clock
from workers.engine import host
from workers.engine.admission import Admission
from workers.engine.batch import BatchTransaction
from workers.engine.housekeeping import Housekeeper
from workers.engine.intake import Intake
from workers.engine.parking import ParkingLot
from workers.engine.replay import Replayer
from workers.engine.unit import UnitOfWork
from workers.wiring.parts import Parts, Wired


def wire(
    app: host.Host,
    parts: Parts,
    name: str,
    topic: str,
    unit: Callable[[], UnitOfWork],
    topics: Sequence[str] | None = None,
) -> Wired:
    """The worker `name` on `topic` (without prefix); `unit` makes a fresh unit of work per attempt.

    Where there is a topic per carrier, `topic` is as the contract writes it and `topics` are those to read.
    """
    settings, group = parts.settings, parts.settings.group(name)
    admission = Admission(group, topic, parts.keyring, settings)
    lot = ParkingLot(group, settings.topic(f"{name}.dead-letters"), parts.keyring)
    transaction = BatchTransaction(
        parts.pool, parts.vault, lot, unit, group, settings, parts.metrics, clock.system_clock
    )  # fmt: skip
    deliveries = host.channel(app)
    read = [settings.topic(one) for one in topics or [topic]]
    intake = Intake(
        read, group, deliveries, admission, transaction, parts.pool, parts.vault, settings,
        parts.metrics, clock.system_clock, parts.exit,
    )  # fmt: skip
    replayer = Replayer(
        group, parts.pool, parts.keyring, admission, transaction, settings, clock.system_clock, parts.exit
    )
    host.agent(app, name, deliveries, intake)
    housekeeper = Housekeeper(group, parts.pool, settings, parts.metrics, clock.system_clock, parts.exit)
    return Wired([housekeeper, replayer, intake], [intake])
