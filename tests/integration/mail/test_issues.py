"""Issues in the ledger: who gets one, what pausing, going on and cancelling do."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from tests.integration.mail.conftest import CONTENT, Office, OfficeFor
from tests.support import people
from tests.support.smtp_server import Behaviour, SmtpServer, smtp_server
from workers.clock import system_clock
from workers.engine.exit import Exit
from workers.errors import UsageError
from workers.issues import book
from workers.issues.starter import IssueStarter
from workers.metrics import Metrics

EMAILS = [f"p{number}@example.org" for number in range(6)]


class Desk:
    """An office with a starter; `turn` lets both do what there is to do."""

    def __init__(self, office: Office, connection: asyncpg.Connection) -> None:
        self.office = office
        self.connection = connection
        self.metrics = Metrics(CollectorRegistry())
        self.starter = IssueStarter(office.pool, self.metrics, system_clock, Exit())

    async def schedule(self, name: str = "one", in_s: float = 0) -> int:
        now = datetime.now(UTC)
        send_at = now + timedelta(seconds=in_s)
        return await book.schedule(self.connection, name, people.PURPOSE, {"en": CONTENT}, send_at, now)

    async def turn(self, limit: int = 50) -> None:
        while await self.starter.advance():
            pass
        for issue_id in self.starter.sending():
            claimed = await self.office.claim(issue_id, limit)
            if claimed:
                await self.office.sender.send(claimed)
        await self.starter.advance()

    async def state(self, name: str = "one") -> str:
        return (await book.find(self.connection, name)).state


async def begin(office: Office, connection: asyncpg.Connection) -> tuple[Desk, dict[str, int]]:
    return Desk(office, connection), await people.subscribe(connection, office.keyring, EMAILS)


def received(server: SmtpServer) -> list[str]:
    return sorted(server.recipients())


async def test_everybody_who_agreed_gets_it_once(opened: OfficeFor) -> None:
    with smtp_server() as server:
        async with opened(server) as office, office.pool.acquire() as connection:
            desk, contacts = await begin(office, connection)
            await people.withdraw(connection, contacts[EMAILS[0]])
            await connection.execute(
                "update contacts set undeliverable_since = now() where contact_id = $1", contacts[EMAILS[1]]
            )
            await desk.schedule()
            for _ in range(3):
                await desk.turn()
            assert await desk.state() == "sent"
    assert received(server) == EMAILS[2:]


async def test_who_agrees_while_it_is_prepared_gets_it_and_who_agrees_after_that_gets_the_next(
    opened: OfficeFor,
) -> None:
    with smtp_server() as server:
        async with opened(server) as office, office.pool.acquire() as connection:
            desk, contacts = await begin(office, connection)
            for email in EMAILS[:2]:
                await people.withdraw(connection, contacts[email])
            issue_id = await desk.schedule()
            await book.start_due(connection, system_clock())
            assert await book.prepare_slice(connection, issue_id, system_clock()), "their numbers are passed now"
            await people.agree(connection, contacts[EMAILS[0]])
            assert not await book.prepare_slice(connection, issue_id, system_clock())
            await people.agree(connection, contacts[EMAILS[1]])
            await desk.turn()
            assert await desk.state() == "sent"
            assert received(server) == [EMAILS[0], *EMAILS[2:]]
            await desk.schedule("two")
            await desk.turn()
    assert received(server) == sorted([EMAILS[0], *EMAILS[2:], *EMAILS])


async def test_metrics_say_how_far_issues_are_without_naming_any(opened: OfficeFor) -> None:
    with smtp_server() as server:
        async with opened(server) as office, office.pool.acquire() as connection:
            desk, _ = await begin(office, connection)
            await desk.schedule()
            await desk.schedule("later", in_s=3600)
            await desk.turn(limit=2)
            await desk.starter.count()
            told = desk.metrics.registry.get_sample_value
            assert told("lethe_issue_mails_waiting") == 4
            assert (told("lethe_issues", {"state": "sending"}), told("lethe_issues", {"state": "scheduled"})) == (1, 1)
            await desk.turn()
            await desk.starter.count()
            assert told("lethe_issue_mails_waiting") == 0
            assert (told("lethe_issues", {"state": "sent"}), told("lethe_issues", {"state": "sending"})) == (1, None)
            sent = office.metrics.registry.get_sample_value("lethe_issue_mails_total", {"state": "sent"})
            assert sent == len(EMAILS)
            await office.post()
            await office.send_all()
            assert office.metrics.registry.get_sample_value("lethe_issue_mails_total", {"state": "sent"}) == sent


async def test_a_sender_that_hangs_between_preparing_and_running_a_statement_is_cut_off(opened: OfficeFor) -> None:
    """PostgreSQL does not take such a session for an idle one."""
    with smtp_server() as server:
        async with opened(server) as office, office.pool.acquire() as connection:
            desk, _ = await begin(office, connection)
            await desk.schedule()
            await book.start_due(connection, system_clock())
            while await book.prepare_slice(connection, 1, system_clock()):
                pass
            hung = await asyncpg.connect(office.settings.database_dsn.get_secret_value())
            transaction = hung.transaction()
            await transaction.start()
            await office.ledger.bound_holding(hung, lock_wait_s=2, lasts_s=0.5)
            await hung.execute("select pg_advisory_xact_lock_shared(hashtextextended('lethe.issue.1', 0))")
            await hung.prepare("select $1::integer + 1")
            state = await connection.fetchrow(
                "select state, wait_event from pg_stat_activity where pid = $1", hung.get_server_pid()
            )
            assert (state["state"], state["wait_event"]) == ("active", "ClientRead")
            async with asyncio.timeout(30):
                assert await book.change_state(connection, "one", "paused", system_clock()) == "paused"
            hung.terminate()


async def test_it_waits_for_its_time(opened: OfficeFor) -> None:
    with smtp_server() as server:
        async with opened(server) as office, office.pool.acquire() as connection:
            desk, _ = await begin(office, connection)
            await desk.schedule(in_s=3600)
            await desk.turn()
            assert await desk.state() == "scheduled"
            assert await desk.schedule(in_s=0), "what has not begun may still change"
            await desk.turn()
            with pytest.raises(UsageError, match="is sent already; give the next one a name"):
                await desk.schedule()
    assert received(server) == EMAILS


async def test_a_paused_issue_goes_on_where_it_stopped(opened: OfficeFor) -> None:
    with smtp_server() as server:
        async with opened(server) as office, office.pool.acquire() as connection:
            desk, _ = await begin(office, connection)
            await desk.schedule()
            await desk.turn(limit=2)
            await book.change_state(connection, "one", "paused", system_clock())
            await desk.turn()
            assert len(server.taken) == 2
            await book.change_state(connection, "one", "sending", system_clock())
            await desk.turn()
            assert await desk.state() == "sent"
    assert received(server) == EMAILS


async def test_who_has_not_got_a_cancelled_issue_does_not_get_it(opened: OfficeFor) -> None:
    with smtp_server() as server:
        async with opened(server) as office, office.pool.acquire() as connection:
            desk, _ = await begin(office, connection)
            issue_id = await desk.schedule()
            await desk.turn(limit=2)
            await book.change_state(connection, "one", "cancelled", system_clock())
            await desk.turn()
            assert await book.progress(connection, issue_id) == {"sent": 2, "cancelled": 4}
            with pytest.raises(UsageError, match="is cancelled: it cannot become sending"):
                await book.change_state(connection, "one", "sending", system_clock())
    assert len(server.taken) == 2


async def test_what_is_paused_and_resumed_before_its_time_waits_for_it(opened: OfficeFor) -> None:
    with smtp_server() as server:
        async with opened(server) as office, office.pool.acquire() as connection:
            desk, _ = await begin(office, connection)
            await desk.schedule(in_s=3600)
            await book.change_state(connection, "one", "paused", system_clock())
            assert await book.change_state(connection, "one", "sending", system_clock()) == "scheduled"
            await desk.turn()
            assert await desk.state() == "scheduled"
    assert received(server) == []


@pytest.mark.parametrize(("ending", "left"), [("paused", "intent"), ("cancelled", "cancelled")])
async def test_what_a_sender_has_in_hand_stops_too(opened: OfficeFor, ending: str, left: str) -> None:
    with smtp_server() as server:
        async with opened(server) as office, office.pool.acquire() as connection:
            desk, _ = await begin(office, connection)
            issue_id = await desk.schedule()
            while await desk.starter.advance():
                pass
            claimed = await office.claim(issue_id)
            await book.change_state(connection, "one", ending, system_clock())
            await office.sender.send(claimed)
            assert set(await office.states()) == {left}
            assert await connection.fetchval("select max(attempts) from mails") == 0, "it costs no attempt"
    assert received(server) == []


@pytest.mark.parametrize("ending", ["paused", "cancelled"])
async def test_no_data_begins_once_pausing_or_cancelling_has_returned(
    opened: OfficeFor, database: str, ending: str
) -> None:
    """The server's times of DATA against the database's, read in the transaction that changes the state."""
    emails = [f"p{number}@example.org" for number in range(400)]
    with smtp_server(Behaviour(delay_s=0.005)) as server:
        async with opened(server, smtp_connections=4) as office:
            async with office.pool.acquire() as connection:
                desk = Desk(office, connection)
                await people.subscribe(connection, office.keyring, emails)
                issue_id = await desk.schedule()
                while await desk.starter.advance():
                    pass
            person = await asyncpg.connect(database)

            async def end() -> float:
                await _until_taken(server, 50)
                async with person.transaction():
                    await book.change_state(person, "one", ending, system_clock())
                    return float(await person.fetchval("select extract(epoch from clock_timestamp())"))

            _, changed = await asyncio.gather(_send_while_due(office, issue_id), end())
            await person.close()
    assert not [one for one in server.taken if one.data_began > changed]
    assert 50 <= len(server.taken) < len(emails)


async def test_each_person_gets_it_in_their_language(opened: OfficeFor) -> None:
    contents = {language: CONTENT._replace(subject=f"News {language}") for language in ("en", "fr")}
    with smtp_server() as server:
        async with opened(server) as office, office.pool.acquire() as connection:
            starter = IssueStarter(office.pool, Metrics(CollectorRegistry()), system_clock, Exit())
            for language in ("en", "fr", "de"):
                await people.subscribe(connection, office.keyring, [f"{language}@example.org"], language)
            now = system_clock()
            issue_id = await book.schedule(connection, "one", people.PURPOSE, contents, now, now)
            await starter.advance()
            said = {
                row["language"]: starter.content(issue_id, row["language"]).subject
                for row in await connection.fetch("select language from mails")
            }
    assert said == {"en": "News en", "fr": "News fr", "de": "News en"}


async def test_each_recipient_has_an_end_of_their_own_whatever_the_mail_server_does(opened: OfficeFor) -> None:
    kinds = ("greylisted", "busy", "refused", "lost", "cut", "fine")
    emails = [f"{kind}{number}@example.org" for kind in kinds for number in range(20)]
    told: set[str] = set()

    def once(email: str, kind: str, answer: str) -> str | None:
        is_first = email.startswith(kind) and email not in told
        told.update([email] if is_first else [])
        return answer if is_first else None

    behaviour = Behaviour(
        at_rcpt=lambda email: once(email, "greylisted", "450 4.2.0 greylisted"),
        at_data=lambda email: once(email, "busy", "451 4.3.0 busy"),
        at_end=lambda email: "554 5.7.1 not wanted" if email.startswith("refused") else None,
        drop_before_answer=lambda email: email.startswith("lost"),
        drop_after_answer=lambda email: email.startswith("cut"),
    )
    with smtp_server(behaviour) as server:
        async with opened(server) as office, office.pool.acquire() as connection:
            desk = Desk(office, connection)
            contacts = await people.subscribe(connection, office.keyring, emails)
            issue_id = await desk.schedule()
            for _ in range(40):
                await desk.turn()
                await office.ledger.recover(system_clock() + timedelta(hours=1))
            assert await desk.state() == "sent"
            rows = await connection.fetch("select contact_id, state from mails where issue_id = $1", issue_id)
            states = {row["contact_id"]: row["state"] for row in rows}
            listed = {row["contact_id"] for row in await book.unknown(connection, issue_id, 100)}
    ends = {kind: {states[contacts[email]] for email in emails if email.startswith(kind)} for kind in kinds}
    assert ends == {
        "greylisted": {"sent"}, "busy": {"sent"}, "refused": {"failed"}, "lost": {"unknown"}, "cut": {"sent"},
        "fine": {"sent"},
    }  # fmt: skip
    assert listed == {contacts[email] for email in emails if email.startswith("lost")}
    assert sorted(server.recipients()) == sorted(email for email in emails if not email.startswith("refused"))


async def _until_taken(server: SmtpServer, count: int) -> None:
    for _ in range(2000):
        if len(server.taken) >= count:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{len(server.taken)} mails arrived")


async def _send_while_due(office: Office, issue_id: int) -> None:
    """As the sender of a worker: several handfuls at once, until nothing is due."""

    async def handfuls() -> None:
        while claimed := await office.claim(issue_id, 20):
            await office.sender.send(claimed)

    await asyncio.gather(handfuls(), handfuls(), handfuls())
