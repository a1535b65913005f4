"""The host: a Faust app without Faust's Kafka, whose agents get whole batches from intakes.

Faust gives life cycle, supervised agents, timers, signals and the web server. Its consumer and producer are not
started (`producer_only` boot without the producer). An agent that raises would be restarted by its supervisor with
its batch gone from memory; the intake therefore never lets anything escape: it retries, or ends the process.
"""

from collections.abc import Iterable
from typing import Any, cast

import faust
import mode
from faust.app.base import BootStrategy
from faust.types import StreamT

from workers.engine.intake import Channel, Delivery, Intake
from workers.settings import Settings

_CHANNEL_BATCHES = 2


class Boot(BootStrategy):
    """Sensors, web and agents: records come from our own consumers."""

    def producer_only(self) -> Iterable[mode.ServiceT]:
        """What Faust starts, in this order, and stops in the reverse one: intakes end while agents still work."""
        return self._chain(self.sensors(), self.web_server(), self.agents(), cast(Host, self.app).last_services)


class Host(faust.App):
    """One worker process."""

    BootStrategy = Boot
    producer_only = True

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.last_services: list[mode.ServiceT] = []

    async def on_start(self) -> None:
        """Let channels flow: they begin suspended, and the consumer that would resume them is not started."""
        await super().on_start()
        self.flow_control.resume()

    def _create_directories(self) -> None:
        """Nothing: the worker keeps no state on disk."""


def create(name: str, settings: Settings, web_port: int) -> Host:
    """A Faust app that hosts agents and services; its web server listens on `web_port`."""
    return Host(
        name,
        broker=f"kafka://{settings.kafka_bootstrap.split(',')[0]}",
        web_bind=settings.web_host,
        web_port=web_port,
        topic_disable_leader=True,
        stream_wait_empty=False,
    )


def channel(app: Host) -> Channel:
    """The way from an intake to its agent; holds few batches, so that a slow database slows the reading."""
    return cast(Channel, app.channel(maxsize=_CHANNEL_BATCHES))


def agent(app: Host, name: str, deliveries: Channel, intake: Intake) -> None:
    """Register the worker's agent: it applies one batch after the other, in the order they were read."""

    @app.agent(cast(Any, deliveries), name=name, concurrency=1)
    async def apply(batches: StreamT[Delivery]) -> None:
        async for delivery in batches:
            await intake.process(delivery)
