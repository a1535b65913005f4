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
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

import asyncpg
import mode

from workers.clock import Clock, monotonic_s
from workers.engine import crashpoints, database, retry
from workers.engine.exit import Exit
from workers.log import logger
from workers.mail.composer import Composer, Ready
from workers.mail.desk import Letter
from workers.mail.ledger import Claimed, Ledger, Result, Verdict
from workers.mail.rates import Bucket, DomainRates
from workers.mail.smtp import Answer, Connections, Outcome, Parcel
from workers.metrics import Metrics
from workers.settings import Settings
from workers.vault.sealing import Unreadable
from workers.vault.subjects import SubjectVault

_LOG = logger(__name__)
_HANDFUL = 50
_SENDERS = 3
_IDLE_S = 0.2
_GATE_S = 4.0
_GATE_SHARE = 0.4
_RECOVER_S = 10.0
_CLAIMED_AHEAD_S = 30.0
_LOCK_WAIT_S = 2.0
_SOON = timedelta(seconds=1)
_STOP_S = 25.0

Opened = tuple[Claimed, Letter]
Delivery = asyncio.Task[tuple[Ready, Outcome]]


class Gate:
    """Open while the locks are held: DATA may begin. It closes by itself before the database could end the locks."""

    def __init__(self, seconds: float) -> None:
        self._closes_s = monotonic_s() + seconds
        self._closed = False

    def is_open(self) -> bool:
        """Whether a DATA command may be sent this very moment."""
        return not self._closed and monotonic_s() < self._closes_s

    def close(self, *_: object) -> None:
        """No DATA command is sent from now on."""
        self._closed = True

    @property
    def left_s(self) -> float:
        """Seconds until it closes by itself."""
        return max(0.0, self._closes_s - monotonic_s())


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
        self._handful = max(1, min(_HANDFUL, int(settings.mails_per_s * _CLAIMED_AHEAD_S)))
        self._recover_s = min(_RECOVER_S, settings.mail_claim_s)
        # The database ends the locks of a session that is silent for its time-out: the gate closes well before that.
        self._gate_s = min(_GATE_S, settings.session_timeout_s * _GATE_SHARE)
        self._claiming = asyncio.Lock()
        self._sending: asyncio.Task[None] | None = None
        self._reached: dict[int, int] = {}
        self._recovered_s: float | None = None

    async def on_stop(self) -> None:
        """Bring what is in hand to its end, let go of the mail server.

        Marketing that is cut off between `unknown` and its answer would never be sent at all.
        """
        if self._sending is not None:
            with suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(asyncio.shield(self._sending), _STOP_S)
        await self._connections.close()

    @mode.Service.task
    async def _send(self) -> None:
        self._sending = asyncio.create_task(self._exit.guard(self._send_until_stopped()))
        await self._sending

    async def _send_until_stopped(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(_SENDERS):
                group.create_task(self._send_handfuls())

    async def _send_handfuls(self) -> None:
        while not self.should_stop:
            try:
                claimed = await self._next()
                if not claimed:
                    await self.sleep(_IDLE_S)
                elif await self._await_turn(len(claimed)):
                    await self.send(claimed)
                else:
                    await self._finish(claimed[0].hand, _given_back(claimed, "stopping", self._clock()))
            except database.RETRIED_ERRORS as error:
                _LOG.warning("mails_retried", error=type(error).__name__)
                await self.sleep(self._settings.retry_initial_s)

    async def _next(self) -> list[Claimed]:
        """Mails of their own first; they are few and somebody waits for them."""
        async with self._claiming:
            now = self._clock()
            if self._recovered_s is None or monotonic_s() - self._recovered_s > self._recover_s:
                self._recovered_s = monotonic_s()
                await self._ledger.recover(now)
            claimed = await self._ledger.claim(self._handful, now)
            for issue_id in () if claimed else self._issues():
                if claimed := await self._claim_of(issue_id, now):
                    break
        if claimed:
            crashpoints.reach("mail.claimed")
        return claimed

    async def _claim_of(self, issue_id: int, now: datetime) -> list[Claimed]:
        """From where the last claim ended; at the end of the issue once more from its beginning, for those put off."""
        reached = self._reached.pop(issue_id, 0)
        claimed = await self._ledger.claim_of_issue(issue_id, reached, self._handful, now)
        if claimed:
            self._reached[issue_id] = claimed[-1].mail_id
        return claimed

    async def _await_turn(self, count: int) -> bool:
        """Wait as the rate demands; False when the sender ends meanwhile."""
        if (wait_s := self._rate.take(count)) > 0:
            await self.sleep(wait_s)
        return not self.should_stop

    async def send(self, claimed: Sequence[Claimed]) -> None:
        """Bring one handful, all of one hand, to an end, whatever each mail's is."""
        now = self._clock()
        opened, results = await self._open(claimed)
        ready, put_off = await self._compose(opened, now)
        results += put_off
        if ready:
            results += await self._offer(ready)
        await self._finish(claimed[0].hand, results)
        for one in results:
            self._metrics.mails.labels(one.state).inc()
            if claimed[0].issue_id is not None:
                self._metrics.issue_mails.labels(one.state).inc()
        if away := sum(one.reason == "deferred" and one.code is None for one in results):
            _LOG.warning("mail_server_away", mails=away)

    async def _finish(self, hand: str, results: Sequence[Result]) -> None:
        """However long the database is away: what was sent must not be taken for unknown."""
        async for _ in retry.attempts(self._settings):
            try:
                await self._ledger.finish(hand, results, self._clock())
                return
            except database.RETRIED_ERRORS as error:
                _LOG.warning("mails_not_finished", error=type(error).__name__)

    async def _open(self, claimed: Sequence[Claimed]) -> tuple[list[Opened], list[Result]]:
        """Unseal; who is being erased is written to no more."""
        addresses = await self._ledger.addresses([one.mail_id for one in claimed if one.sealed is None])
        async with self._pool.acquire() as connection:
            subjects = await self._vault.hold_by_id(connection, {one.subject_id for one in claimed})
        opened, results = list[Opened](), list[Result]()
        for one in claimed:
            subject, address = subjects.get(one.subject_id), addresses.get(one.mail_id)
            if subject is not None and (one.sealed or address):
                with suppress(Unreadable):
                    opened.append((one, self._composer.open(one, subject, address)))
                    continue
            results.append(Result(one.mail_id, "cancelled", reason="subject_erased", tried=False))
        return opened, results

    async def _compose(self, opened: Sequence[Opened], now: datetime) -> tuple[list[Ready], list[Result]]:
        """Sign those that their domain's rate lets go; the others get a later turn each."""
        ready, results = list[Ready](), list[Result]()
        for mail, letter in opened:
            if (turn_s := self._domains.take_or_turn(letter.to.rpartition("@")[2])) > 0:
                due = now + timedelta(seconds=turn_s)
                results.append(Result(mail.mail_id, "intent", None, "domain_rate", due, tried=False))
                continue
            try:
                ready.append(self._composer.compose(mail, letter, now))
            except Exception as error:  # a fault of ours in one mail must not hold up the others
                _LOG.exception("mail_not_composed", mail_id=mail.mail_id)
                results.append(Result(mail.mail_id, "failed", reason=f"not_composed_{type(error).__name__}"))
            await asyncio.sleep(0)
        return ready, results

    async def _offer(self, ready: Sequence[Ready]) -> list[Result]:
        """Hold, commit `unknown`, begin DATA, let go; then wait for the answers.

        When the database is lost meanwhile the locks are lost with it: the gate closes at once, and each delivery
        that had begun is still waited for.
        """
        gate, deliveries, verdict = Gate(self._gate_s), list[Delivery](), Verdict(frozenset(), frozenset(), {})
        try:
            async with self._held(ready, gate) as verdict:
                await self._begin([one for one in ready if one.mail.mail_id in verdict.sendable], gate, deliveries)
        except database.RETRIED_ERRORS as error:
            _LOG.warning("mail_locks_lost", error=type(error).__name__)
        finally:
            gate.close()
        crashpoints.reach("mail.released")
        outcomes = await asyncio.gather(*deliveries)
        now = self._clock()
        begun = {one.mail.mail_id for one, _ in outcomes}
        rest = [one.mail for one in ready if one.mail.mail_id not in begun and one.mail.mail_id not in verdict.ended]
        return [
            *(self._result(one.mail, outcome, now) for one, outcome in outcomes),
            *(Result(mail_id, "cancelled", None, reason, tried=False) for mail_id, reason in verdict.ended.items()),
            *_given_back(rest, "locks_busy", now + _SOON),
        ]

    async def _begin(self, sendable: Sequence[Ready], gate: Gate, deliveries: list[Delivery]) -> None:
        """Returns when every DATA was answered by the server or the gate has closed."""
        if not sendable:
            return
        hand = sendable[0].mail.hand
        mine = await self._ledger.mark_unknown(hand, [one.mail.mail_id for one in sendable], self._clock())
        crashpoints.reach("mail.unknown")
        begun: list[asyncio.Event] = []
        for one in sendable:
            if one.mail.mail_id in mine:
                begun.append(event := asyncio.Event())
                deliveries.append(asyncio.create_task(self._deliver(one, gate, event)))
        with suppress(TimeoutError):  # a slow mail server: whose DATA has not begun by now is offered again later
            async with asyncio.timeout(gate.left_s):
                for event in begun:
                    await event.wait()

    @asynccontextmanager
    async def _held(self, ready: Sequence[Ready], gate: Gate) -> AsyncIterator[Verdict]:
        """What may be sent; it stays true within. The gate closes with the connection that holds the locks."""
        mail_ids = [one.mail.mail_id for one in ready]
        async with self._pool.acquire() as connection:
            connection.add_termination_listener(gate.close)
            try:
                async with connection.transaction():
                    await self._ledger.bound_holding(connection, _LOCK_WAIT_S, self._settings.session_timeout_s)
                    subjects = await self._vault.hold_by_id(connection, {one.mail.subject_id for one in ready})
                    verdict = await self._ledger.judge(connection, mail_ids, subjects, self._clock())
                    try:
                        yield verdict
                    finally:
                        gate.close()  # before the locks go, however they go
            finally:
                connection.remove_termination_listener(gate.close)

    async def _deliver(self, one: Ready, gate: Gate, begun: asyncio.Event) -> tuple[Ready, Outcome]:
        try:
            outcome = await self._connections.send(
                Parcel(one.sender, one.recipient, one.message, gate.is_open, begun.set)
            )
        finally:
            begun.set()
        crashpoints.reach("mail.answered")
        return one, outcome

    def _result(self, mail: Claimed, outcome: Outcome, now: datetime) -> Result:
        answer, code = outcome
        if answer is Answer.ACCEPTED:
            return Result(mail.mail_id, "sent", code)
        if answer is Answer.REFUSED:
            return Result(mail.mail_id, "failed", code, "refused" if code else "needs_smtputf8")
        if answer is Answer.NOT_BEGUN:
            return Result(mail.mail_id, "intent", code, "mail_server_slow", now, tried=False)
        is_lost = answer is Answer.UNKNOWN
        if is_lost and mail.class_ == "marketing":
            return Result(mail.mail_id, "unknown", code, "answer_lost")
        if mail.attempts >= self._settings.mail_max_attempts:
            return Result(mail.mail_id, "failed", code, "answer_lost" if is_lost else "gave_up")
        doubled = 2.0 ** min(mail.attempts - 1, 30)
        pause_s = min(self._settings.mail_retry_initial_s * doubled, self._settings.mail_retry_max_s)
        reason = "answer_lost" if is_lost else "deferred"
        return Result(mail.mail_id, "intent", code, reason, now + timedelta(seconds=pause_s))


def _given_back(mails: Sequence[Claimed], reason: str, due: datetime) -> list[Result]:
    return [Result(one.mail_id, "intent", None, reason, due, tried=False) for one in mails]
