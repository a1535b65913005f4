"""Certificates are issued in bulk, by several at once, across kills: one chain without gaps, on a real PostgreSQL."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.support.certificates import SHOP, SIGNER, facts, later, partly
from workers.db import migrate, sql
from workers.proof.certificate import Certificate
from workers.proof.desk import ProofDesk
from workers.proof.facts import Facts
from workers.proof.verification import ChainCheck, Fault, Head

QUERIES = sql.queries("certificates")
DESK = ProofDesk(SIGNER, SHOP)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(database, min_size=0, max_size=8) as opened:
        async with opened.acquire() as connection:
            await migrate.apply(connection)
        yield opened


async def issue(pool: asyncpg.Pool, *wanted: Facts) -> list[Certificate]:
    async with pool.acquire() as connection, connection.transaction():
        return await DESK.issue_many(connection, wanted, later(7))


async def faults(pool: asyncpg.Pool) -> list[Fault]:
    check = ChainCheck({SIGNER.key_id: SIGNER.public}, whole=True)
    found = [f for row in await pool.fetch(QUERIES["all"]) for f in check.add(row["document"]).faults]
    head = await pool.fetchrow(QUERIES["head"])
    assert head is not None
    return found + check.end(Head(head["sequence"], bytes(head["hash"]).hex()))


async def sequences(pool: asyncpg.Pool) -> list[int]:
    return [row["sequence"] for row in await pool.fetch(QUERIES["all"])]


async def test_hundreds_are_issued_at_once_in_their_order(pool: asyncpg.Pool) -> None:
    wanted = [facts() for _ in range(500)]
    issued = await issue(pool, *wanted)
    assert [one.facts for one in issued] == wanted
    assert [one.sequence for one in issued] == list(range(1, 501))
    stored = await pool.fetch(QUERIES["all"])
    assert [row["document"].encode() for row in stored] == [one.document for one in issued]
    assert [(row["request_id"], row["outcome"], bytes(row["hash"]).hex()) for row in stored] == [
        (one.request_id, one.outcome, one.hash) for one in issued
    ]
    assert await faults(pool) == []


async def test_no_facts_are_no_certificate(pool: asyncpg.Pool) -> None:
    assert await issue(pool) == []
    assert await sequences(pool) == []


async def test_many_at_once_make_one_chain(pool: asyncpg.Pool) -> None:
    async def work() -> None:
        for number in range(10):
            await issue(pool, *(facts() for _ in range(1 + number % 3)))

    await asyncio.gather(*(work() for _ in range(6)))
    assert await sequences(pool) == list(range(1, 115))
    assert await faults(pool) == []


async def test_sequence_order_is_commit_order(pool: asyncpg.Pool) -> None:
    """Whoever comes second waits for the first one's end, and never gets a lower number that commits later."""
    async with pool.acquire() as first, pool.acquire() as second:
        transaction = first.transaction()
        await transaction.start()
        (one,) = await DESK.issue_many(first, [facts()], later(7))

        async def follow() -> Certificate:
            async with second.transaction():
                return (await DESK.issue_many(second, [facts()], later(7)))[0]

        following = asyncio.create_task(follow())
        done, _ = await asyncio.wait([following], timeout=0.3)
        assert not done
        await transaction.commit()
        assert (await following).previous_hash == one.hash
    assert await faults(pool) == []


@pytest.mark.parametrize("end", ["rollback", "connection", "server"])
async def test_what_does_not_commit_leaves_neither_certificate_nor_gap(
    pool: asyncpg.Pool, database: str, end: str
) -> None:
    (before,) = await issue(pool, facts())
    connection = await asyncpg.connect(database)
    transaction = connection.transaction()
    await transaction.start()
    await DESK.issue_many(connection, [facts() for _ in range(20)], later(7))
    if end == "rollback":
        await transaction.rollback()
    elif end == "server":
        await pool.execute("select pg_terminate_backend($1)", connection.get_server_pid())
    connection.terminate()  # as kill -9 does
    (after,) = await issue(pool, facts())
    assert (after.sequence, after.previous_hash) == (before.sequence + 1, before.hash)
    assert await faults(pool) == []


async def test_asking_again_after_an_unanswered_commit_gives_the_same_certificates(pool: asyncpg.Pool) -> None:
    wanted = [facts(), partly(), facts()]
    first = await issue(pool, *wanted)
    again = await issue(pool, *wanted, facts())
    assert again[:3] == first
    assert await sequences(pool) == [1, 2, 3, 4]
    assert await faults(pool) == []


async def test_a_partly_completed_erasure_that_is_completed_gets_a_second_certificate(pool: asyncpg.Pool) -> None:
    request_id = uuid.uuid4()
    (part,) = await issue(pool, partly(request_id))
    (whole,) = await issue(pool, facts(request_id))
    assert (part.replaces, whole.replaces) == (None, part.sequence)
    (back,) = await issue(pool, partly(request_id))
    assert back == whole, "what was completed does not become less so"
    first, second = await issue(pool, partly(other := uuid.uuid4()), facts(other))
    assert second.replaces == first.sequence
    assert await faults(pool) == []


async def test_the_database_holds_no_second_completion_of_a_request(pool: asyncpg.Pool) -> None:
    (one,) = await issue(pool, facts())
    with pytest.raises(asyncpg.UniqueViolationError):
        await pool.execute(
            "insert into certificates select 99, request_id, outcome, issued_at, '\\x00', document from certificates"
        )
    assert await sequences(pool) == [one.sequence]


@pytest.mark.parametrize(
    "harm",
    [
        "delete from certificates where sequence = 2",
        "delete from certificates where sequence = 4",
        "update certificates set document = replace(document, 'crm', 'erp') where sequence = 3",
        "update certificates set document = (select document from certificates where sequence = 1) where sequence = 3",
        "update certificate_head set sequence = 3, hash = (select hash from certificates where sequence = 3)",
    ],
)
async def test_harm_done_in_the_database_is_found(pool: asyncpg.Pool, harm: str) -> None:
    await issue(pool, *(facts() for _ in range(4)))
    await pool.execute(harm)
    assert await faults(pool)
