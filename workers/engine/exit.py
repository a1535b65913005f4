"""The hard way out. What cannot be retried in place ends the process at once, as `kill -9` would.

Nothing un-acknowledged can be lost by it: positions move only with a commit. Going on could lose something: the
consumer's position in memory has already passed what was read.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

from workers.errors import Stop
from workers.log import logger

EXIT_STOPPED = 78
"""A person must act first (EX_CONFIG of sysexits.h): restarting alone does not help."""

EXIT_FAILED = 70
"""A fault (EX_SOFTWARE): a supervisor should start the worker again."""

_LOG = logger(__name__)


class Exit:
    """Ends the process with a reason; a test may give another way out."""

    def __init__(self, leave: Callable[[int], None] = os._exit) -> None:
        self._leave = leave

    def now(self, error: BaseException) -> None:
        """Log why, and leave. Only the text of a Stop is shown: it is ours and holds no personal data."""
        if isinstance(error, Stop):
            _LOG.error("worker_stopped", error=type(error).__name__, why=str(error))
            code = EXIT_STOPPED
        else:
            _LOG.error("worker_failed", exc_info=error)
            code = EXIT_FAILED
        sys.stderr.flush()
        self._leave(code)

    async def guard(self, work: Awaitable[None]) -> None:
        """Await a task that must not fail: whatever it raises but a cancellation ends the process."""
        try:
            await work
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.now(error)
