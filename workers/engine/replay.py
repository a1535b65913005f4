"""Replay: a dead letter that a person asked to have applied again, applied once.

The worker does it itself, with its own keys: the command only marks the letter. What it emits goes through the
relay's outbox, in the transaction that closes the letter.
"""

from datetime import datetime

import asyncpg
import mode

from workers.clock import Clock
from workers.db import sql
from workers.engine import crashpoints, database, outbox, parking, relay
from workers.engine.admission import Admission
from workers.engine.batch import BatchTransaction, Outcome
from workers.engine.database import Connection
from workers.engine.exit import Exit
from workers.errors import KeyMissing, RefusalCode, Refused
from workers.log import logger
from workers.settings import Settings
from workers.vault.keyring import Keyring
from workers.vault.sealing import Unreadable

_QUERIES = sql.queries("dead_letters")
_LOG = logger(__name__)
_POLL_S = 0.5
_SHARD = 0


class _TooEarly(Exception):
    """Something about the same people was applied before and is not published yet: a second later it is."""


class Replayer(mode.Service):
    """Applies the dead letters of one consumer group that are marked for replay, in the order of the log."""

    def __init__(
        self,
        consumer_group: str,
        pool: asyncpg.Pool,
        keyring: Keyring,
        admission: Admission,
        transaction: BatchTransaction,
        settings: Settings,
        clock: Clock,
        exit_: Exit,
    ) -> None:
        super().__init__()
        self._group = consumer_group
        self._pool = pool
        self._keyring = keyring
        self._admission = admission
        self._transaction = transaction
        self._settings = settings
        self._clock = clock
        self._exit = exit_

    @mode.Service.task
    async def _replay(self) -> None:
        await self._exit.guard(self._replay_until_stopped())

    async def _replay_until_stopped(self) -> None:
        while not self.should_stop:
            try:
                if not await self._replay_next():
                    await self.sleep(_POLL_S)
            except database.RETRIED_ERRORS as error:
                _LOG.warning("replay_retried", error=type(error).__name__)
                await self.sleep(_POLL_S)

    async def _replay_next(self) -> bool:
        """Replay the first marked letter; False when there is none. A letter whose rows the database refuses, or
        that cannot be opened, is parked again."""
        now = self._clock()
        letter: asyncpg.Record | None = None
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                letter = await connection.fetchrow(_QUERIES["take_replay"], self._group, 1)
                if letter is None:
                    return False
                await self._apply(connection, letter, now)
                crashpoints.reach("replay.before_commit")
        except _TooEarly:
            return False
        except database.DATA_ERRORS:
            await self._park_again(self._pool, letter, _DATABASE_REFUSED, now)
        except (Unreadable, KeyMissing):
            await self._park_again(self._pool, letter, _UNREADABLE, now)
        return True

    async def _apply(self, connection: Connection, letter: asyncpg.Record, now: datetime) -> None:
        packed = parking.open_letter(
            self._keyring,
            letter["dead_letter_id"],
            letter["wrapped_key"],
            letter["key_epoch"],
            letter["sealed"],
        )
        record = parking.unpack(packed, letter["topic"], letter["partition"], letter["record_offset"])
        outcome = await self._transaction.decide(connection, [self._admission.admit(record, now)], now, is_replay=True)
        if outcome.rejected:
            await self._transaction.release(connection, outcome)
            await self._park_again(connection, letter, outcome.rejected[0].refusal, now)
        else:
            await self._finish(connection, letter, outcome, now)

    async def _finish(self, connection: Connection, letter: asyncpg.Record, outcome: Outcome, now: datetime) -> None:
        messages = [message for emitted in outcome.messages.values() for message in emitted]
        if await outbox.waits_elsewhere(connection, relay.shard_lane(self._settings, _SHARD), messages):
            raise _TooEarly
        await relay.add(connection, self._settings, _SHARD, now, messages)
        await connection.execute(_QUERIES["finish_replay"], letter["dead_letter_id"], now)

    async def _park_again(
        self,
        connection: Connection | asyncpg.Pool,
        letter: asyncpg.Record | None,
        refusal: Refused,
        now: datetime,
    ) -> None:
        if letter is None:
            return
        letter_id = letter["dead_letter_id"]
        await connection.execute(
            _QUERIES["park_again"],
            letter_id,
            now,
            refusal.code,
            refusal.reason,
            refusal.field,
            refusal.keep_body,
        )


_DATABASE_REFUSED = Refused(
    RefusalCode.DATABASE_REFUSED,
    "the database refuses what this event would store; a developer must look at it",
)
_UNREADABLE = Refused(
    RefusalCode.INTERNAL_ERROR,
    "the sealed copy cannot be opened: its key was destroyed; it can only be dropped",
    keep_body=False,
)
