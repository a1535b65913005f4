"""An issue to 20,000 people while senders are killed, the issue is paused and resumed, and people withdraw.

Times of two clocks are compared, both of this machine: when the mail server read each DATA command, and what the
database's clock said in the transaction that withdrew (or paused), after its effect and before its commit.
"""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from tests.support import issues, lethe, people
from tests.support.consents import PURPOSES
from tests.support.endpoints import Endpoints
from tests.support.fast_sink import Arrival, FastSink, fast_sink
from tests.support.waiting import wait_until
from tests.support.worker_process import WorkerProcess, worker_process
from workers.consent.desk import ConsentDesk
from workers.domain.consent import ConsentChange, Entity, Kind
from workers.issues import book
from workers.mail.desk import MailDesk
from workers.settings import Settings
from workers.vault import keyring as keyrings
from workers.vault.subjects import SubjectVault

_IN_HAND_PER_PROCESS = 150
_WITHDRAWING = 4
_DATABASE_CLOCK = "select extract(epoch from clock_timestamp())::float8"


class Withdrawals:
    """People who withdraw, several at a time, half of them while their mail is in a sender's hands.

    `at` is the database's time of each, by contact: after the change, before its commit.
    """

    def __init__(self, settings: Settings, contact_ids: list[int], seed: int) -> None:
        ring = keyrings.load(settings.keyring_dir)
        self._settings = settings
        self._contact_ids = contact_ids
        self._random = random.Random(seed)
        self._desk = ConsentDesk(SubjectVault(ring), ring, PURPOSES, MailDesk(), settings)
        self._over = threading.Event()
        self.at: dict[int, float] = {}
        self.in_hand = 0

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Until the end of the block. Raises what a withdrawal raised."""
        failures: list[BaseException] = []

        def run() -> None:
            try:
                asyncio.run(self._withdraw_until_over())
            except BaseException as failure:
                failures.append(failure)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
        if failures:
            raise failures[0]

    async def _withdraw_until_over(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(_WITHDRAWING):
                group.create_task(self._withdraw_in_turn())

    async def _withdraw_in_turn(self) -> None:
        async with issues.database(self._settings) as connection:
            while not self._over.is_set():
                contact_id = await self._next(connection)
                if contact_id not in self.at:
                    await self._withdraw(connection, contact_id)
                await asyncio.sleep(self._random.uniform(0, 0.02))

    async def _next(self, connection: asyncpg.Connection) -> int:
        if self._random.random() < 0.5:
            in_hand = await connection.fetchval(
                "select contact_id from mails where state in ('claimed', 'unknown') and claimed_until > now() "
                "order by random() limit 1"
            )
            if in_hand is not None:
                self.in_hand += 1
                return int(in_hand)
        return self._random.choice(self._contact_ids)

    async def _withdraw(self, connection: asyncpg.Connection, contact_id: int) -> None:
        now = datetime.now(UTC)
        change = ConsentChange(Kind.WITHDRAWN, people.PURPOSE, Entity.SUBJECT, "web_form", now, contact_id=contact_id)
        async with connection.transaction():
            (outcome,) = await self._desk.apply(connection, [change], now)
            at = await connection.fetchval(_DATABASE_CLOCK)
        assert outcome.refusal is None
        self.at[contact_id] = at


def set_state(settings: Settings, state: str) -> float:
    """Pause or resume; the database's time of it, before its commit."""

    async def run() -> float:
        async with issues.database(settings) as connection, connection.transaction():
            await book.change_state(connection, issues.NAME, state, datetime.now(UTC))
            return float(await connection.fetchval(_DATABASE_CLOCK))

    return asyncio.run(run())


def wait_for(sink: FastSink, count: int) -> None:
    wait_until(lambda: len(sink.recipients()) >= count, 100.0, lambda: f"{len(sink.recipients())} of {count} mails")


@pytest.mark.parametrize(
    ("count", "kills", "seed"),
    [
        pytest.param(20_000, 3, 1, id="20000"),
        *(pytest.param(100_000, 12, seed, id=f"100000-{seed}", marks=pytest.mark.torture) for seed in (2, 3)),
    ],
)
@pytest.mark.timeout(600)
def test_a_storm_mails_nobody_twice_nobody_wrong_and_forgets_nobody(
    stack: Endpoints, prefix: str, database: str, tmp_path: Path, count: int, kills: int, seed: int
) -> None:
    with fast_sink() as sink, ExitStack() as running:
        settings = lethe.prepare(
            stack, prefix, database, tmp_path, smtp_port=sink.port, mails_per_s=100_000, mails_per_s_per_domain=100_000,
            dkim_dir=tmp_path / "none", mail_claim_s=2,
        )  # fmt: skip
        contacts = issues.begin(settings, count)
        withdrawals = Withdrawals(settings, list(contacts.values()), seed)

        def start() -> WorkerProcess:
            return running.enter_context(worker_process(settings, ["mailer"], ready=False))

        workers = [start(), start()]
        with withdrawals.going_on():
            for turn in range(kills):
                wait_for(sink, (turn + 1) * count // (kills + 2))
                workers.pop(turn % 2).kill()
                assert issues.standing(settings).state == "sending", "killed in the middle"
                workers.append(start())
            paused_at = set_state(settings, "paused")
            quiet_until = len(sink.recipients())
            wait_until(lambda: len(withdrawals.at) > 200, 60.0, "people withdraw meanwhile")
            resumed_at = set_state(settings, "sending")
            wait_until(lambda: issues.standing(settings).state == "sent", 300.0, lambda: str(issues.standing(settings)))
        found, arrivals = issues.standing(settings), sink.arrivals()
    by_contact = {contacts[one.recipient]: one for one in arrivals}
    assert set(Counter(one.recipient for one in arrivals).values()) == {1}, "nobody twice"
    assert not [one for one in arrivals if paused_at < one.began < resumed_at], "a pause is a pause"
    assert quiet_until < count
    _judge_withdrawals(withdrawals, by_contact)
    missing = set(contacts.values()) - by_contact.keys()
    assert missing <= found.unknown | withdrawals.at.keys(), "nobody is forgotten"
    assert len(found.unknown) <= kills * _IN_HAND_PER_PROCESS
    assert set(found.progress) <= {"sent", "unknown", "cancelled"}
    assert found.progress["sent"] == len(by_contact.keys() - found.unknown), "what is sent arrived"


def _judge_withdrawals(withdrawals: Withdrawals, by_contact: dict[int, Arrival]) -> None:
    """None mailed after their withdrawal; and the two did race."""
    late = {
        contact_id: by_contact[contact_id].began - at
        for contact_id, at in withdrawals.at.items()
        if contact_id in by_contact and by_contact[contact_id].began > at
    }
    assert not late
    before = [contact_id for contact_id in withdrawals.at if contact_id in by_contact]
    assert len(before) > 10, "some were mailed before they withdrew"
    assert len(withdrawals.at) - len(before) > 10, "some withdrew in time"
    assert withdrawals.in_hand > 10, "some withdrew while their mail was in a sender's hands"
