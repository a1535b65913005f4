"""The keyring in a worker's memory follows rotations: destroyed epochs are dropped, also where nothing is wrapped."""

import asyncpg
import mode

from workers.engine import database
from workers.engine.exit import Exit
from workers.log import logger
from workers.settings import Settings
from workers.vault import epochs
from workers.vault.keyring import Keyring

_LOG = logger(__name__)
_INTERVAL_S = 10.0


class KeyringWatch(mode.Service):
    """One per process. What must be exact does not depend on it: who wraps asks the database each time."""

    def __init__(self, pool: asyncpg.Pool, keyring: Keyring, settings: Settings, exit_: Exit) -> None:
        super().__init__()
        self._pool = pool
        self._keyring = keyring
        self._settings = settings
        self._exit = exit_

    async def look(self) -> None:
        """Follow what the database says now. Raises Stop where it was restored under a running worker."""
        await epochs.adopt(self._pool, self._keyring, self._settings.keyring_dir)

    @mode.Service.task
    async def _watch(self) -> None:
        await self._exit.guard(self._watch_until_stopped())

    async def _watch_until_stopped(self) -> None:
        while not self.should_stop:
            await self.sleep(_INTERVAL_S)
            try:
                await self.look()
            except database.RETRIED_ERRORS as error:
                _LOG.warning("keyring_watch_retried", error=type(error).__name__)
