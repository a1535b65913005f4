"""The sender when the database or the mail server fails at the worst moment: the fence holds, no outcome is lost."""

import asyncio
import time

import asyncpg
import pytest

from tests.integration.mail.conftest import Office, OfficeFor
from tests.support import people
from tests.support.smtp_server import Behaviour, smtp_server
from workers.clock import system_clock

TWO = ["ada@example.org", "bob@example.org"]


async def _issue_to(office: Office, emails: list[str]) -> dict[str, int]:
    async with office.pool.acquire() as connection:
        contacts = await people.subscribe(connection, office.keyring, emails)
    await office.add_issue()
    return contacts


async def _cut_lock_holder(person: asyncpg.Connection) -> None:
    """End the database session that holds the consents, and wait until its locks are gone."""
    for _ in range(200):
        pid = await person.fetchval(
            "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
            "and state = 'idle in transaction' limit 1"
        )
        if pid is not None:
            await person.execute("select pg_terminate_backend($1, 5000)", pid)
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody held a lock")


async def test_when_the_locks_are_lost_no_data_begins_any_more(opened: OfficeFor, database: str) -> None:
    with smtp_server(Behaviour(delay_at_rcpt_s=0.5)) as server:
        async with opened(server) as office:
            contacts = await _issue_to(office, TWO)
            person = await asyncpg.connect(database)
            sending = asyncio.create_task(office.sender.send(await office.claim(1)))
            await _cut_lock_holder(person)
            for contact in contacts.values():
                await people.withdraw(person, contact)
            await sending
            assert await office.states() == ["intent", "intent"], "given back, not left in unknown"
            await office.settle(1)
            assert await office.states() == ["cancelled", "cancelled"]
            await person.close()
    assert server.recipients() == []


async def test_when_the_locks_are_lost_what_had_begun_is_still_known_to_be_sent(
    opened: OfficeFor, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One connection: ada's DATA has begun, bob waits for the connection with the locks still held."""
    with smtp_server(Behaviour(delay_s=1.0)) as server:
        async with opened(server, smtp_connections=1) as office:
            await _issue_to(office, TWO)
            person = await asyncpg.connect(database)
            sending = asyncio.create_task(office.sender.send(await office.claim(1)))
            await asyncio.sleep(0.3)
            await _cut_lock_holder(person)
            await sending
            await person.close()
            assert await office.states() == ["sent", "intent"]
            await office.settle(1)
            assert await office.states() == ["sent", "sent"]
    assert sorted(server.recipients()) == TWO


async def test_a_withdrawal_that_is_under_way_holds_up_nobody_else(opened: OfficeFor, database: str) -> None:
    with smtp_server() as server:
        async with opened(server) as office:
            contacts = await _issue_to(office, TWO)
            person = await asyncpg.connect(database)
            transaction = person.transaction()
            await transaction.start()
            await people.withdraw(person, contacts["ada@example.org"])
            async with asyncio.timeout(1.5):
                await office.sender.send(await office.claim(1))
            assert await office.states() == ["intent", "sent"]
            await transaction.commit()
            await office.settle(1)
            assert await office.states() == ["cancelled", "sent"]
            await person.close()
    assert server.recipients() == ["bob@example.org"]


async def test_a_withdrawal_taken_back_loses_nobody_the_mail(opened: OfficeFor, database: str) -> None:
    with smtp_server() as server:
        async with opened(server) as office:
            contacts = await _issue_to(office, TWO)
            person = await asyncpg.connect(database)
            transaction = person.transaction()
            await transaction.start()
            await people.withdraw(person, contacts["ada@example.org"])
            await office.sender.send(await office.claim(1))
            await transaction.rollback()
            await office.settle(1)
            await person.close()
    assert sorted(server.recipients()) == TWO


async def test_being_put_off_costs_no_attempt(opened: OfficeFor) -> None:
    with smtp_server() as server:
        async with opened(server, mails_per_s_per_domain=20, mail_max_attempts=2) as office:
            emails = [f"p{number}@example.org" for number in range(60)]
            await _issue_to(office, emails)
            began_s = time.monotonic()
            await office.settle(1)
            took_s = time.monotonic() - began_s
            attempts = await office.pool.fetch("select distinct attempts from mails")
    assert sorted(server.recipients()) == sorted(emails)
    assert [row["attempts"] for row in attempts] == [1]
    assert took_s > 1.5, "a second's worth at once, then 20 a second"


async def test_a_slow_server_costs_no_attempt(opened: OfficeFor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.mail.sender._GATE_S", 0.2)
    with smtp_server(Behaviour(delay_s=0.3)) as server:
        async with opened(server, smtp_connections=1, mail_max_attempts=1) as office:
            await _issue_to(office, [f"p{number}@example.org" for number in range(4)])
            await office.settle(1)
            assert await office.states() == ["sent"] * 4
    assert len(set(server.recipients())) == len(server.taken) == 4


@pytest.mark.parametrize("class_", ["statutory", "marketing"])
@pytest.mark.parametrize("behaviour", ["at_data", "drop_at_data"])
async def test_until_the_content_is_sent_it_did_not_arrive(opened: OfficeFor, behaviour: str, class_: str) -> None:
    """So marketing, too, is offered again."""
    faults = iter(["451 4.3.0 later" if behaviour == "at_data" else True])
    with smtp_server(Behaviour(**{behaviour: lambda _: next(faults, None)})) as server:
        async with opened(server) as office:
            if class_ == "marketing":
                await _issue_to(office, TWO[:1])
            else:
                await office.post(TWO[0])
            await office.settle(1 if class_ == "marketing" else None)
            assert await office.states() == ["sent"]
    assert server.recipients() == TWO[:1]


@pytest.mark.parametrize("answer", ["what?", "354 go on", "199 hm", "600 no"])
async def test_an_answer_that_says_nothing_is_no_answer(opened: OfficeFor, answer: str) -> None:
    answers = iter([answer])
    with smtp_server(Behaviour(at_end=lambda _: next(answers, None))) as server:
        async with opened(server) as office:
            await _issue_to(office, TWO[:1])
            await office.send_all(1)
            assert await office.states() == ["unknown"]
    assert server.recipients() == []


async def test_a_yes_is_a_yes_by_any_number(opened: OfficeFor) -> None:
    with smtp_server(Behaviour(at_end=lambda _: "252 2.0.0 will do")) as server:
        async with opened(server) as office:
            await _issue_to(office, TWO[:1])
            await office.send_all(1)
            assert await office.states() == ["sent"]


async def test_a_connection_that_ends_after_the_answer_changes_nothing(opened: OfficeFor) -> None:
    with smtp_server(Behaviour(drop_after_answer=lambda _: True)) as server:
        async with opened(server, smtp_connections=1) as office:
            await _issue_to(office, TWO)
            await office.send_all(1)
            assert await office.states() == ["sent", "sent"]
            assert {row["attempts"] for row in await office.pool.fetch("select attempts from mails")} == {1}
    assert sorted(server.recipients()) == TWO


async def test_a_server_that_takes_few_mails_a_connection_costs_no_attempt(opened: OfficeFor) -> None:
    with smtp_server(Behaviour(hang_up_after=2)) as server:
        async with opened(server, smtp_connections=1, mail_max_attempts=1) as office:
            await _issue_to(office, [f"p{number}@example.org" for number in range(7)])
            await office.send_all(1)
            assert await office.states() == ["sent"] * 7
    assert server.connections == 4


async def test_what_comes_late_from_an_earlier_hand_changes_nothing(opened: OfficeFor) -> None:
    with smtp_server() as server:
        async with opened(server) as office:
            mail_id = await office.post()
            first = await office.claim()
            await office.pool.execute("update mails set claimed_until = now() - interval '1 s'")
            assert await office.ledger.recover(system_clock()) == 1
            second = await office.claim()
            assert await office.ledger.mark_unknown(first[0].hand, [mail_id], system_clock()) == set()
            await office.sender.send(first)
            assert (await office.row(mail_id))["state"] == "claimed", "still in the second hand"
            await office.sender.send(second)
            assert await office.states() == ["sent"]
    assert len(server.taken) == 1
