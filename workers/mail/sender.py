"""The sender: takes mails from the ledger to the mail server, and never writes to somebody who has just said no.

For each handful of mails:

    claim      they are this sender's for a while
    compose    unseal, render, sign: no lock is held
    hold       share locks on consents and subjects; what may no longer be sent is cancelled
    unknown    committed on another connection, before any DATA: a crash from here on leaves "may have been sent"
    DATA       begun only while the locks are held, for a few seconds at most; then the gate closes
    finish     sent, failed, or due again

A withdrawal updates its consent's row, so it commits either before `hold` (the mail is cancelled) or after the gate
has closed (DATA was begun before). Marketing mail that stays unknown is never sent again; what the law or the person
expects to be told is sent again under the same Message-ID.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import asyncpg
import mode

from workers.clock import Clock, monotonic_s
from workers.engine import crashpoints, database, retry
from workers.engine.exit import Exit
from workers.log import logger
from workers.mail.composer import Composer, Ready
from workers.mail.ledger import Claimed, Ledger, Result
from workers.mail.rates import Bucket, DomainRates
from workers.mail.smtp import Answer, Connections, Outcome
from workers.metrics import Metrics
from workers.settings import Settings
from workers.vault.sealing import Unreadable
from workers.vault.subjects import SubjectVault

_LOG = logger(__name__)
_HANDFUL = 50
_SENDERS = 3
_IDLE_S = 0.2
_GATE_S = 4.0
_RECOVER_S = 10.0
_DOMAIN_PAUSE = timedelta(seconds=1)


class Gate:
    """Open while the locks are held: DATA may begin. It closes by itself before the database could end the locks."""

    def __init__(self, seconds: float) -> None:
        self._closes_s = monotonic_s() + seconds
        self._closed = False

    def is_open(self) -> bool:
        """Whether a DATA command may be sent this very moment."""
        return not self._closed and monotonic_s() < self._closes_s

    def close(self) -> None:
        """No DATA command is sent from now on."""
        self._closed = True


class Sender(mode.Service):
    """Sends what is due, several handfuls at a time. Any number of processes may do so at once."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        ledger: Ledger,
        composer: Composer,
        connections: Connections,
        vault: SubjectVault,
        issues: Callable[[], Sequence[int]],
        settings: Settings,
        metrics: Metrics,
        clock: Clock,
        exit_: Exit,
    ) -> None:
        super().__init__()
        self._pool = pool
        self._ledger = ledger
        self._composer = composer
        self._connections = connections
        self._vault = vault
        self._issues = issues
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._exit = exit_
        self._rate = Bucket(settings.mails_per_s, monotonic_s)
        self._domains = DomainRates(settings.mails_per_s_per_domain, monotonic_s)
        self._claiming = asyncio.Lock()
        self._reached: dict[int, int] = {}
        self._recovered_s: float | None = None

    async def on_stop(self) -> None:
        """Let go of the mail server."""
        await self._connections.close()

    @mode.Service.task
    async def _send(self) -> None:
        await self._exit.guard(self._send_until_stopped())

    async def _send_until_stopped(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(_SENDERS):
                group.create_task(self._send_handfuls())

    async def _send_handfuls(self) -> None:
        while not self.should_stop:
            try:
                claimed = await self._next()
                if claimed:
                    await self.send(claimed)
                else:
                    await self.sleep(_IDLE_S)
            except database.RETRIED_ERRORS as error:
                _LOG.warning("mails_retried", error=type(error).__name__)
                await self.sleep(self._settings.retry_initial_s)

    async def _next(self) -> list[Claimed]:
        """Mails of their own first; they are few and somebody waits for them."""
        async with self._claiming:
            now = self._clock()
            if self._recovered_s is None or monotonic_s() - self._recovered_s > _RECOVER_S:
                self._recovered_s = monotonic_s()
                await self._ledger.recover(now)
                self._reached.clear()
            claimed = await self._ledger.claim(_HANDFUL, now)
            for issue_id in self._issues():
                if claimed:
                    break
                claimed = await self._ledger.claim_of_issue(issue_id, self._reached.get(issue_id, 0), _HANDFUL, now)
                if claimed:
                    self._reached[issue_id] = claimed[-1].mail_id
        crashpoints.reach("mail.claimed")
        await asyncio.sleep(self._rate.take(len(claimed)))
        return claimed

    async def send(self, claimed: Sequence[Claimed]) -> None:
        """Bring one handful to an end, whatever each mail's is."""
        now = self._clock()
        ready, results = await self._compose(claimed, now)
        ready, later = self._within_domain_rates(ready, now)
        results += later
        if ready:
            results += await self._offer(ready)
        await self._finish(results)
        for one in results:
            self._metrics.mails.labels(one.state).inc()

    async def _finish(self, results: Sequence[Result]) -> None:
        """However long the database is away: what was sent must not be taken for unknown."""
        async for _ in retry.attempts(self._settings):
            try:
                await self._ledger.finish(results, self._clock())
                return
            except database.RETRIED_ERRORS as error:
                _LOG.warning("mails_not_finished", error=type(error).__name__)

    async def _compose(self, claimed: Sequence[Claimed], now: datetime) -> tuple[list[Ready], list[Result]]:
        addresses = await self._ledger.addresses([one.mail_id for one in claimed if one.sealed is None])
        async with self._pool.acquire() as connection:
            subjects = await self._vault.hold_by_id(connection, {one.subject_id for one in claimed})
        ready, results = list[Ready](), list[Result]()
        for one in claimed:
            subject, address = subjects.get(one.subject_id), addresses.get(one.mail_id)
            if subject is None or (one.sealed is None and address is None):
                results.append(Result(one.mail_id, "cancelled", reason="subject_erased"))
                continue
            try:
                ready.append(self._composer.compose(one, subject, address, now))
            except Unreadable:
                results.append(Result(one.mail_id, "cancelled", reason="subject_erased"))
            except Exception as error:  # a fault of ours in one mail must not hold up the others
                _LOG.exception("mail_not_composed", mail_id=one.mail_id)
                results.append(Result(one.mail_id, "failed", reason=f"not_composed_{type(error).__name__}"))
            await asyncio.sleep(0)
        return ready, results

    def _within_domain_rates(self, ready: Sequence[Ready], now: datetime) -> tuple[list[Ready], list[Result]]:
        allowed = {one.mail.mail_id: self._domains.try_take(one.recipient.rpartition("@")[2]) for one in ready}
        later = [
            Result(mail_id, "intent", reason="domain_rate", next_attempt_at=now + _DOMAIN_PAUSE)
            for mail_id, fits in allowed.items()
            if not fits
        ]
        return [one for one in ready if allowed[one.mail.mail_id]], later

    async def _offer(self, ready: Sequence[Ready]) -> list[Result]:
        """Hold, commit `unknown`, begin DATA, let go; then wait for the answers."""
        gate = Gate(_GATE_S)
        begun: list[asyncio.Event] = []
        tasks: list[asyncio.Task[tuple[Ready, Outcome]]] = []
        async with self._held(ready) as sendable:
            mine = await self._ledger.mark_unknown(sorted(sendable), self._clock()) if sendable else set()
            crashpoints.reach("mail.unknown")
            for one in ready:
                if one.mail.mail_id in mine:
                    begun.append(event := asyncio.Event())
                    tasks.append(asyncio.create_task(self._deliver(one, gate, event)))
            try:
                async with asyncio.timeout(_GATE_S):
                    for event in begun:
                        await event.wait()
            except TimeoutError:
                pass  # a slow mail server: whose DATA has not begun by now is offered again later
            gate.close()
        crashpoints.reach("mail.released")
        outcomes = await asyncio.gather(*tasks)
        now = self._clock()
        refused = [one for one in ready if one.mail.mail_id not in sendable]
        return [self._result(one.mail, outcome, now) for one, outcome in outcomes] + [
            Result(one.mail.mail_id, "cancelled", reason="consent_ended") for one in refused
        ]

    @asynccontextmanager
    async def _held(self, ready: Sequence[Ready]) -> AsyncIterator[set[int]]:
        """The mails that may be sent; it stays true within."""
        mail_ids = [one.mail.mail_id for one in ready]
        async with self._pool.acquire() as connection, connection.transaction():
            subjects = await self._vault.hold_by_id(connection, {one.mail.subject_id for one in ready})
            yield await self._ledger.sendable(connection, mail_ids, subjects, self._clock())

    async def _deliver(self, one: Ready, gate: Gate, begun: asyncio.Event) -> tuple[Ready, Outcome]:
        def may_begin() -> bool:
            is_open = gate.is_open()
            begun.set()
            return is_open

        try:
            outcome = await self._connections.send(one.sender, one.recipient, one.message, may_begin)
        finally:
            begun.set()
        crashpoints.reach("mail.answered")
        return one, outcome

    def _result(self, mail: Claimed, outcome: Outcome, now: datetime) -> Result:
        answer, code = outcome
        if answer is Answer.ACCEPTED:
            return Result(mail.mail_id, "sent", code)
        if answer is Answer.REFUSED:
            return Result(mail.mail_id, "failed", code, "refused")
        if answer is Answer.UNKNOWN and mail.class_ == "marketing":
            return Result(mail.mail_id, "unknown", code, "answer_lost")
        if mail.attempts >= self._settings.mail_max_attempts:
            return Result(mail.mail_id, "failed", code, "gave_up")
        if answer is Answer.NOT_BEGUN:
            return Result(mail.mail_id, "intent", code, "mail_server_slow", now)
        pause_s = min(self._settings.mail_retry_initial_s * 2 ** (mail.attempts - 1), self._settings.mail_retry_max_s)
        return Result(mail.mail_id, "intent", code, "deferred", now + timedelta(seconds=pause_s))
