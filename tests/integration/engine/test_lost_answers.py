"""COMMITs whose answer the network loses, by a proxy that cuts the connection: unknown is not failed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest

from tests.support.engine import Engine, Told, engine
from tests.support.orders import event, placed
from tests.support.proxy import CommitCutter, Cut, commit_cutter


@pytest.fixture
async def cut_off(database: str, tmp_path: Path) -> AsyncIterator[tuple[Engine, CommitCutter]]:
    async with commit_cutter(database) as (cutter, through), engine(through, tmp_path) as shop:
        yield shop, cutter


def assigned(*numbers: int) -> list[Told]:
    return [Told("gls", "address.assigned", f"o{number}.1") for number in numbers]


@pytest.mark.parametrize("cut", get_args(Cut))
async def test_a_batch_is_applied_once(cut: Cut, cut_off: tuple[Engine, CommitCutter]) -> None:
    shop, cutter = cut_off
    await shop.apply(placed("o1"))
    cutter.arm(cut)
    assert await shop.apply(placed("o2"), placed("o3")) == assigned(2, 3)
    assert cutter.cuts == 1
    assert await shop.position() == 3
    counts = await shop.counts()
    assert (counts["shipments"], counts["disclosures"], counts["outbox"], counts["events_seen"]) == (3, 3, 2, 3)
    assert await shop.apply(placed("o4")) == assigned(4), "the next batch joins on"


async def test_one_cut_after_the_other(cut_off: tuple[Engine, CommitCutter]) -> None:
    shop, cutter = cut_off
    cutter.arm("before the commit arrives", "before the commit arrives", "before its answer arrives")
    assert await shop.apply(placed("o1")) == assigned(1)
    assert cutter.cuts == 3
    assert (await shop.counts())["outbox"] == 1


@pytest.mark.parametrize("cut", get_args(Cut))
async def test_a_refused_event_is_one_dead_letter(cut: Cut, cut_off: tuple[Engine, CommitCutter]) -> None:
    shop, cutter = cut_off
    cutter.arm(cut)
    told = await shop.apply(placed("o1"), event("order.cancelled", "o9", reason="shop"))
    assert told[0] == assigned(1)[0]
    assert [one.event_type for one in told[1:]] == ["dead_letter.parked"]
    assert await shop.letters() == [("order_unknown", "parked", 1, True)]


@pytest.mark.parametrize("cut", get_args(Cut))
async def test_halves_of_a_batch_are_applied_once(cut: Cut, cut_off: tuple[Engine, CommitCutter]) -> None:
    """The database refuses one record, so the batch is halved; every part's COMMIT is cut once."""
    shop, cutter = cut_off
    await shop.pool.execute("alter table shipments add check (shipment_id <> 'bad')")
    cutter.arm(*[cut] * 3)
    told = await shop.apply(placed("o1"), placed("o2"), placed("bad"), placed("o4"))
    assert cutter.cuts == 3
    assert [one for one in told if one.event_type == "address.assigned"] == assigned(1, 2, 4)
    assert await shop.letters() == [("database_refused", "parked", 1, True)]
    assert await shop.position() == 4
    assert (await shop.counts())["shipments"] == 3
