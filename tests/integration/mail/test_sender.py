"""What becomes of a mail, whatever the mail server does: real PostgreSQL, real SMTP conversations."""

import asyncio
import time

import asyncpg
import pytest

from tests.integration.mail.conftest import OfficeFor
from tests.support import people
from tests.support.smtp_server import Behaviour, smtp_server


async def test_a_mail_arrives_once_and_is_known_to_be_sent(opened: OfficeFor) -> None:
    with smtp_server() as server:
        async with opened(server) as office:
            mail_id = await office.post("ada@example.org")
            await office.send_all()
            row = await office.row(mail_id)
    assert server.recipients() == ["ada@example.org"]
    assert (row["state"], row["smtp_code"], row["sealed"], row["claimed_by"]) == ("sent", 250, None, None)


async def test_the_same_mail_is_posted_once(opened: OfficeFor) -> None:
    with smtp_server() as server:
        async with opened(server) as office:
            await office.post("ada@example.org", dedupe=bytes(16))
            with pytest.raises(AssertionError):
                await office.post("ada@example.org", dedupe=bytes(16))
            await office.send_all()
    assert len(server.taken) == 1


@pytest.mark.parametrize("stage", ["at_rcpt", "at_end"])
async def test_a_refusal_for_now_is_tried_again_under_the_same_name(opened: OfficeFor, stage: str) -> None:
    refusals = iter(["450 4.2.0 greylisted", "451 4.3.0 later"])
    behaviour = Behaviour(**{stage: lambda _: next(refusals, None)})
    with smtp_server(behaviour) as server:
        async with opened(server) as office:
            mail_id = await office.post()
            while (await office.row(mail_id))["state"] == "intent":
                await office.send_all()
            row = await office.row(mail_id)
    assert (row["state"], row["attempts"]) == ("sent", 3)
    assert len(server.taken) == 1


@pytest.mark.parametrize("stage", ["at_rcpt", "at_end"])
async def test_a_refusal_for_good_is_recorded_and_the_others_go_on(opened: OfficeFor, stage: str) -> None:
    behaviour = Behaviour(**{stage: lambda to: "550 5.1.1 no such user" if to.startswith("no") else None})
    with smtp_server(behaviour) as server:
        async with opened(server) as office:
            refused = await office.post("nobody@example.org")
            await office.post("ada@example.org")
            await office.send_all()
            row = await office.row(refused)
            assert await office.states() == ["failed", "sent"]
    assert (row["smtp_code"], row["reason"]) == (550, "refused")
    assert "nobody" not in str(dict(row))


async def test_a_server_that_is_away_costs_nothing_but_time(opened: OfficeFor) -> None:
    with smtp_server() as server:
        async with opened(server, smtp_port=1, mail_max_attempts=3) as office:
            await office.post()
            for _ in range(5):
                await office.send_all()
                await asyncio.sleep(0.01)
            assert await office.states() == ["failed"]


async def test_when_the_answer_is_lost_what_must_be_said_is_said_again(opened: OfficeFor) -> None:
    drops = iter([True, True])
    with smtp_server(Behaviour(drop_before_answer=lambda _: next(drops, False))) as server:
        async with opened(server) as office:
            mail_id = await office.post()
            while (await office.row(mail_id))["state"] != "sent":
                await office.send_all()
    names = {line for one in server.taken for line in one.content.split(b"\r\n") if line.startswith(b"Message-ID")}
    assert (len(server.taken), len(names)) == (3, 1)


async def test_when_the_answer_is_lost_marketing_is_never_sent_again(opened: OfficeFor) -> None:
    with smtp_server(Behaviour(drop_before_answer=lambda to: to.startswith("ada"))) as server:
        async with opened(server) as office, office.pool.acquire() as connection:
            await people.subscribe(connection, office.keyring, ["ada@example.org", "bob@example.org"])
            await office.add_issue()
            for _ in range(3):
                await office.send_all(1)
                await office.ledger.recover(office.sender._clock())
            rows = await connection.fetch("select state, reason from mails order by mail_id")
    assert sorted(server.recipients()) == ["ada@example.org", "bob@example.org"]
    assert sorted(map(tuple, rows)) == [("sent", None), ("unknown", "answer_lost")]


@pytest.mark.parametrize("ending", ["withdrawn", "expired", "undeliverable", "fenced"])
async def test_who_may_not_be_written_to_any_more_is_not(opened: OfficeFor, ending: str) -> None:
    statement = {
        "withdrawn": "update consents set status = 'ConsentWithdrawn' where contact_id = $1",
        "expired": "update consents set expires_at = now() - interval '1 s' where contact_id = $1",
        "undeliverable": "update contacts set undeliverable_since = now() where contact_id = $1",
        "fenced": "update subjects set fenced_at = now() where subject_id = "
        "(select subject_id from contacts where contact_id = $1)",
    }[ending]
    with smtp_server() as server:
        async with opened(server) as office, office.pool.acquire() as connection:
            contacts = await people.subscribe(connection, office.keyring, ["ada@example.org", "bob@example.org"])
            await office.add_issue()
            claimed = await office.claim(1)
            await connection.execute(statement, contacts["ada@example.org"])
            await office.sender.send(claimed)
            assert sorted(await office.states()) == ["cancelled", "sent"]
    assert server.recipients() == ["bob@example.org"]


async def test_no_data_begins_after_a_withdrawal_was_committed(opened: OfficeFor, database: str) -> None:
    emails = [f"p{number}@example.org" for number in range(300)]
    committed: dict[str, float] = {}
    with smtp_server(Behaviour(delay_s=0.002)) as server:
        async with opened(server, mails_per_s=400) as office:
            async with office.pool.acquire() as connection:
                contacts = await people.subscribe(connection, office.keyring, emails)
            await office.add_issue()
            person = await asyncpg.connect(database)

            async def withdraw_some() -> None:
                for email in reversed(emails[::2]):
                    await people.withdraw(person, contacts[email])
                    committed[email] = time.time()
                    await asyncio.sleep(0.002)

            await asyncio.gather(office.send_all(1), withdraw_some())
            await office.settle(1)  # whose consent was just being changed was put off for a moment
            await person.close()
            assert set(await office.states()) == {"sent", "cancelled"}
    late = [one for one in server.taken if one.data_began > committed.get(one.recipients[0], float("inf"))]
    assert not late
    assert 150 <= len(server.taken) < 300, "some were in time"


async def test_a_withdrawal_does_not_wait_for_a_slow_mail_server_for_long(
    opened: OfficeFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.mail.sender._GATE_S", 0.5)
    with smtp_server(Behaviour(delay_s=3.0)) as server:
        async with opened(server, smtp_connections=1) as office, office.pool.acquire() as connection:
            contacts = await people.subscribe(connection, office.keyring, ["ada@example.org", "bob@example.org"])
            await office.add_issue()
            claimed = await office.claim(1)
            sending = asyncio.create_task(office.sender.send(claimed))
            await asyncio.sleep(0.2)
            await people.withdraw(connection, contacts["bob@example.org"])
            assert not sending.done(), "the server has not answered yet"
            await sending
            await office.send_all(1)
            assert sorted(await office.states()) == ["cancelled", "sent"]
    assert server.recipients() == ["ada@example.org"]
