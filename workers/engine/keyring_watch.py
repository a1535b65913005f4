"""The keyring in a worker's memory follows rotations: destroyed epochs are dropped, also where nothing is wrapped."""

import asyncpg
import mode

from workers.engine import repeat
from workers.engine.exit import Exit
from workers.settings import Settings
from workers.vault import epochs
from workers.vault.keyring import Keyring

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
        await self._exit.guard(repeat.until_stopped(self, self.look, _INTERVAL_S))
