"""What a service does over and over until it is stopped."""

from collections.abc import Awaitable, Callable

import mode

from workers.engine import database
from workers.log import logger

_LOG = logger(__name__)


async def until_stopped(service: mode.Service, work: Callable[[], Awaitable[object]], pause_s: float) -> None:
    """Do the work again and again, `pause_s` apart. What the database may mend is logged and tried again."""
    while not service.should_stop:
        try:
            await work()
        except database.RETRIED_ERRORS as error:
            _LOG.warning("work_retried", service=type(service).__name__, error=type(error).__name__)
        await service.sleep(pause_s)
