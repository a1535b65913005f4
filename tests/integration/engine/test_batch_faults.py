"""A database that refuses rows, goes away or leaves a commit unanswered: nothing is lost, nothing happens twice."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import asyncpg
import pytest

from tests.support.engine import CARRIERS, Engine, Told, engine
from tests.support.orders import event, placed
from workers import shipping
from workers.engine.admission import Event
from workers.engine.database import Connection
from workers.engine.outbox import Message
from workers.errors import PartitionLost
from workers.settings import Settings
from workers.vault.keyring import Keyring
from workers.vault.subjects import Subject

ASSIGNED = "address.assigned"
REFUSE = """
create function refuse() returns trigger language plpgsql as $$
begin
    if new.shipment_id in ('bad', 'worse') then
        raise exception 'not this one' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger refuse before insert or update on shipments for each row execute function refuse();
"""


@pytest.fixture
async def shop(database: str, tmp_path: Path) -> AsyncIterator[Engine]:
    async with engine(database, tmp_path) as made:
        yield made


def assigned(*numbers: object) -> list[Told]:
    return [Told("gls", ASSIGNED, f"{number}.1") for number in numbers]


async def test_the_record_that_the_database_refuses_is_found_and_parked_alone(shop: Engine) -> None:
    await shop.pool.execute(REFUSE)
    orders = [*(f"o{n}" for n in range(23)), "bad", *(f"o{n}" for n in range(23, 40)), "worse"]
    told = await shop.apply(*(placed(order) for order in orders))
    assert [one for one in told if one.event_type == ASSIGNED] == assigned(*(f"o{n}" for n in range(40)))
    assert await shop.letters() == [("database_refused", "parked", 1, True)] * 2
    assert await shop.position() == len(orders)
    letters = await shop.rows("select record_offset, reason from dead_letters order by 1")
    assert [offset for offset, _ in letters] == [orders.index("bad"), orders.index("worse")]
    assert not any("not this one" in reason for _, reason in letters), "the database's own text is not kept"


async def test_what_the_database_refused_may_be_published_again_once_it_is_mended(shop: Engine) -> None:
    await shop.pool.execute(REFUSE)
    one = placed("bad")
    await shop.apply(one)
    await shop.pool.execute("drop trigger refuse on shipments")
    assert await shop.apply(one) == assigned("bad")


async def test_every_record_refused_is_parked_and_the_position_moves_on(shop: Engine) -> None:
    await shop.pool.execute(REFUSE)
    told = await shop.apply(placed("bad"), placed("worse"), partition=1)
    assert {one.event_type for one in told} == {"dead_letter.parked"}
    assert await shop.position(1) == 2


class LosingAnswers:
    """Lets the server commit, then fails as a connection does that breaks before the answer arrives."""

    def __init__(self, shop: Engine, monkeypatch: pytest.MonkeyPatch, times: int = 1, really: bool = True) -> None:
        self.left = times
        commit = asyncpg.transaction.Transaction.commit

        async def lose(transaction: asyncpg.transaction.Transaction) -> None:
            if self.left:
                self.left -= 1
                await (commit(transaction) if really else transaction.rollback())
                raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
            await commit(transaction)

        monkeypatch.setattr(asyncpg.transaction.Transaction, "commit", lose)


async def test_a_commit_that_took_effect_unanswered_is_applied_once(
    shop: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.apply(placed("o1"))
    LosingAnswers(shop, monkeypatch)
    assert await shop.apply(placed("o2"), placed("o3")) == assigned("o2", "o3")
    assert await shop.position() == 3
    assert (await shop.counts())["outbox"] == 2
    assert await shop.apply(placed("o4")) == assigned("o4")


async def test_a_commit_that_failed_unanswered_is_applied_again(shop: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    LosingAnswers(shop, monkeypatch, times=2, really=False)
    assert await shop.apply(placed("o1")) == assigned("o1")
    assert (await shop.counts())["shipments"] == 1


async def test_an_unanswered_commit_of_halves_is_applied_once(shop: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    await shop.pool.execute(REFUSE)
    LosingAnswers(shop, monkeypatch)
    told = await shop.apply(placed("o1"), placed("bad"), placed("o2"))
    assert [one for one in told if one.event_type == ASSIGNED] == assigned("o1", "o2")
    assert await shop.letters() == [("database_refused", "parked", 1, True)]


async def test_an_unanswered_commit_after_which_another_worker_went_on_loses_the_partition(
    shop: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.start()
    batch = shop.batch(placed("o1"))
    commit = asyncpg.transaction.Transaction.commit

    async def lose(transaction: asyncpg.transaction.Transaction) -> None:
        await commit(transaction)
        monkeypatch.setattr(asyncpg.transaction.Transaction, "commit", commit)
        await shop.pool.execute("update positions set next_offset = 7")
        raise asyncpg.ConnectionDoesNotExistError

    monkeypatch.setattr(asyncpg.transaction.Transaction, "commit", lose)
    with pytest.raises(PartitionLost):
        await shop.transaction.apply(batch, lambda: True)
    assert (await shop.counts())["outbox"] == 1, "the next owner publishes it from there"


class Interrupted(shipping.ShippingUnit):
    """A unit of work in whose middle every other connection of the database is cut, so many times."""

    left = 0

    def __init__(self, settings: Settings, ring: Keyring) -> None:
        super().__init__(CARRIERS, settings, ring)

    async def store(self, connection: Connection, now: object) -> None:
        await super().store(connection, now)  # type: ignore[arg-type]  # a datetime
        if Interrupted.left:
            Interrupted.left -= 1
            other = await asyncpg.connect(self._settings.database_dsn.get_secret_value())
            await other.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
            await other.close()


async def test_a_database_that_goes_away_in_the_middle_is_waited_for(database: str, tmp_path: Path) -> None:
    async with engine(database, tmp_path) as shop:
        shop.transaction = shop.new_transaction(lambda: Interrupted(shop.settings, shop.ring))
        Interrupted.left = 3
        assert await shop.apply(placed("o1"), placed("o2")) == assigned("o1", "o2")
        assert Interrupted.left == 0
        assert (await shop.counts())["shipments"] == 2
        assert await shop.position() == 2


async def test_a_partition_that_is_taken_away_while_the_database_is_away_is_let_go(
    database: str, tmp_path: Path
) -> None:
    async with engine(database, tmp_path) as shop:
        shop.transaction = shop.new_transaction(lambda: Interrupted(shop.settings, shop.ring))
        Interrupted.left = 100
        await shop.start()
        still_ours = iter([True, True, False])
        with pytest.raises(PartitionLost):
            await shop.transaction.apply(shop.batch(placed("o1")), lambda: next(still_ours))
        Interrupted.left = 0
        assert await shop.position() == 0


class Failing(shipping.ShippingUnit):
    """A unit of work with a fault that quotes the event."""

    def handle(self, event: Event, subject: Subject) -> list[Message]:
        if getattr(event.data, "order_id", "") == "bad":
            raise ValueError(str(event.data))
        return super().handle(event, subject)


async def test_a_fault_of_ours_parks_the_event_and_quotes_nothing(database: str, tmp_path: Path) -> None:
    async with engine(database, tmp_path) as shop:
        shop.transaction = shop.new_transaction(lambda: Failing(CARRIERS, shop.settings, shop.ring))
        told = await shop.apply(placed("o1"), placed("bad"), placed("o2"))
        assert [one for one in told if one.event_type == ASSIGNED] == assigned("o1", "o2")
        assert await shop.letters() == [("internal_error", "parked", 1, True)]
        ((reason,),) = await shop.rows("select reason from dead_letters")
        assert "ValueError" in reason
        assert "Erika" not in reason


async def test_hostile_records_are_parked_and_never_stop_the_worker(shop: Engine) -> None:
    """What PostgreSQL cannot store as text (NUL, half a surrogate pair) may come in every part of a record."""
    spoilt: Sequence[dict[str, object]] = [{"a\x00b": 1}, {"ship_to": {"\ud800": 1}}, {"carrier": "\x00"}]
    hostile = [placed(f"x{n}", **extra) for n, extra in enumerate(spoilt)]  # type: ignore[arg-type]  # any JSON
    hostile += [
        placed("y1")._replace(headers=[("ce_id", b"\x00")]),
        placed("y2")._replace(headers=[("\x00", b"\xff")]),
        placed("y3", key=b"\x00"),
        placed("y4")._replace(value=b"\x00"),
        event("order.\x00", "y5"),
        event("order.placed\u2028", "y6"),
        placed("y7", event_id="\U0010ffff"),
    ]
    told = await shop.apply(*hostile, placed("o1"))
    assert Told("gls", ASSIGNED, "o1.1") in told
    assert len(await shop.letters()) + len([one for one in told if one.event_type == ASSIGNED]) == len(hostile) + 1


async def test_a_batch_that_waits_for_a_lock_is_applied_when_it_is_free(shop: Engine) -> None:
    await shop.apply(placed("o1"))
    async with shop.pool.acquire() as other:
        holding = other.transaction()
        await holding.start()
        await other.execute("select * from subjects for update")
        waiting = asyncio.create_task(shop.apply(event("order.cancelled", "o1", reason="shop")))
        await asyncio.sleep(0.2)
        assert not waiting.done(), "a fence in the making holds the person's row"
        await holding.rollback()
    assert await waiting == [Told("gls", "address.withdrawn", "o1.2")]
