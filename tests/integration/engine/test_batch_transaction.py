"""Position, dedupe, state, outbox and dead letters commit together; each event has its effect once, in order."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.engine import Engine, Told, engine
from tests.support.orders import NOW, SHIP_TO, event, placed
from workers.engine.batch import Batch
from workers.errors import ParkingLimit, PartitionLost

ASSIGNED, CORRECTED, WITHDRAWN = "address.assigned", "address.corrected", "address.withdrawn"
MOVED = {**SHIP_TO, "lines": ["Neuer Weg 3"]}


@pytest.fixture
async def shop(database: str, tmp_path: Path) -> AsyncIterator[Engine]:
    async with engine(database, tmp_path) as made:
        yield made


async def test_an_order_is_applied_whole(shop: Engine) -> None:
    assert await shop.apply(placed("o1")) == [Told("gls", ASSIGNED, "o1.1")]
    assert await shop.position() == 1
    assert await shop.counts() == {
        "events_seen": 1, "subjects": 1, "shipments": 1, "disclosures": 1, "outbox": 1, "dead_letters": 0,
    }  # fmt: skip


async def test_the_ledger_says_who_was_told_which_fields_on_which_ground(shop: Engine) -> None:
    contact = {**SHIP_TO, "email": "erika@example.com"}
    await shop.apply(placed("o1"), placed("o2", ship_to=contact, contact_consent=True))
    await shop.apply(event("order.cancelled", "o1", reason="shop"))
    ledger = "select shipment_id, revision, recipient, action, fields, legal_basis from disclosures order by 1, 2"
    address = "name line1 city postal_code country_code"
    assert await shop.rows(ledger) == [
        ("o1", 1, "gls", ASSIGNED, address, "eu-gdpr:A6-1-b"),
        ("o1", 2, "gls", WITHDRAWN, "", "eu-gdpr:A6-1-b"),
        ("o2", 1, "gls", ASSIGNED, f"{address} email", "eu-gdpr:A6-1-b eu-gdpr:A6-1-a"),
    ]


async def test_a_wrong_position_loses_the_partition_and_writes_nothing(shop: Engine) -> None:
    await shop.apply(placed("o1"))
    before = await shop.counts()
    shop.offsets[0] = 0
    with pytest.raises(PartitionLost):
        await shop.apply(placed("o2"))
    assert await shop.counts() == before
    assert await shop.position() == 1


async def test_one_lost_partition_loses_the_whole_batch(shop: Engine) -> None:
    await shop.start(0)
    await shop.start(1, position=5)
    batch = Batch(shop.batch(placed("o1")).slices + shop.batch(placed("o2"), partition=1).slices)
    with pytest.raises(PartitionLost):
        await shop.transaction.apply(batch, lambda: True)
    assert (await shop.position(0), await shop.position(1)) == (0, 5)


async def test_a_partition_that_was_taken_away_is_not_touched(shop: Engine) -> None:
    await shop.start()
    with pytest.raises(PartitionLost):
        await shop.transaction.apply(shop.batch(placed("o1")), lambda: False)
    assert await shop.position() == 0


async def test_a_duplicate_in_the_same_batch_has_no_effect(shop: Engine) -> None:
    one = placed("o1")
    assert await shop.apply(one, one, one) == [Told("gls", ASSIGNED, "o1.1")]
    assert await shop.position() == 3
    assert await shop.letters() == []


async def test_a_duplicate_in_a_later_batch_or_another_partition_has_no_effect(shop: Engine) -> None:
    one = placed("o1")
    await shop.apply(one)
    assert await shop.apply(one) == []
    assert await shop.apply(one, partition=1) == []
    assert await shop.letters() == []


async def test_a_duplicate_with_another_body_has_no_effect_either(shop: Engine) -> None:
    await shop.apply(placed("o1", event_id="e1"))
    assert await shop.apply(placed("o2", event_id="e1")) == []


async def test_every_group_applies_an_event_for_itself(shop: Engine, database: str, tmp_path: Path) -> None:
    one = event("order.ready", "o1", event_id="e1")
    await shop.apply(placed("o1", wait_for_ready=True))
    assert await shop.apply(one) == [Told("gls", ASSIGNED, "o1.1")]
    async with engine(database, tmp_path, prefix="other.") as other:
        await other.apply(one)
    assert (await shop.counts())["events_seen"] == 3


async def test_a_refused_event_may_be_published_again_corrected(shop: Engine) -> None:
    (notice,) = await shop.apply(placed("o1", carrier="nobody", event_id="e1"))
    assert notice[:2] == ("shipping.dead-letters", "dead_letter.parked")
    assert (await shop.counts())["events_seen"] == 0
    assert await shop.apply(placed("o1", event_id="e1")) == [Told("gls", ASSIGNED, "o1.1")]
    assert await shop.apply(placed("o1", event_id="e1")) == []


async def test_its_correction_may_be_in_the_same_batch(shop: Engine) -> None:
    good = placed("o1", event_id="e1")
    told = await shop.apply(placed("o1", carrier="nobody", event_id="e1"), good, good)
    assert told[0] == Told("gls", ASSIGNED, "o1.1")
    assert await shop.apply(good) == [], "it was seen"
    assert [letter[:3] for letter in await shop.letters()] == [("unknown_carrier", "parked", 1)]


async def test_the_same_refusal_twice_is_one_dead_letter_seen_twice(shop: Engine) -> None:
    bad = placed("o1", carrier="nobody", event_id="e1")
    assert len(await shop.apply(bad)) == 1
    assert await shop.apply(bad) == [], "one notice"
    assert len(await shop.apply(bad, bad, partition=1)) == 0
    assert await shop.letters() == [("unknown_carrier", "parked", 4, True)]


async def test_card_data_is_parked_without_a_body(shop: Engine) -> None:
    await shop.apply(placed("o1", note="4111 1111 1111 1111"), placed("o2"))
    assert await shop.letters() == [("card_data", "parked", 1, False)]
    kept = await shop.rows("select wrapped_key, key_epoch, sealed from dead_letters")
    assert kept == [(None, None, None)]


async def test_a_customer_s_events_are_applied_in_order(shop: Engine) -> None:
    told = await shop.apply(
        placed("o1", wait_for_ready=True),
        event("order.address_changed", "o1", ship_to=MOVED),
        event("order.ready", "o1"),
        event("order.address_changed", "o1", ship_to=MOVED, carrier="dhl-parcel-de"),
        event("order.delivered", "o1"),
    )
    assert told == [
        Told("gls", ASSIGNED, "o1.1"),
        Told("gls", WITHDRAWN, "o1.2"),
        Told("dhl-parcel-de", ASSIGNED, "o1.3"),
        Told("dhl-parcel-de", WITHDRAWN, "o1.4"),
    ]


async def test_batches_of_any_size_come_to_the_same(shop: Engine) -> None:
    events = [
        placed("o1", wait_for_ready=True),
        event("order.address_changed", "o1", ship_to=MOVED),
        event("order.ready", "o1"),
        event("order.delivered", "o1"),
    ]
    one_by_one = [told for one in events for told in await shop.apply(one)]
    assert one_by_one == [Told("gls", ASSIGNED, "o1.1"), Told("gls", WITHDRAWN, "o1.2")]
    state = await shop.rows("select state, revision from shipments")
    assert state == [("delivered", 2)]


async def test_five_in_a_hundred_twice_and_out_of_step_have_their_effect_once(shop: Engine) -> None:
    rng = random.Random(5)
    orders = [placed(f"o{number}", f"c{number % 40}") for number in range(400)]
    log = [copy for one in orders for copy in ([one, one] if rng.random() < 0.05 else [one])]
    log += rng.sample(orders, 20)
    told = []
    while log:
        size = rng.randrange(1, 90)
        told += await shop.apply(*log[:size])
        log = log[size:]
    assert sorted(told) == sorted(Told("gls", ASSIGNED, f"o{number}.1") for number in range(400))
    assert await shop.letters() == []
    duplicates = shop.metrics.registry.get_sample_value("lethe_duplicates_total", {"group": shop.group})
    assert duplicates is not None
    assert duplicates >= 20


async def test_someone_else_s_order_is_refused_whichever_comes_first(shop: Engine) -> None:
    await shop.apply(placed("o1", "c1"), event("order.cancelled", "o1", "c2", reason="fraud"))
    await shop.apply(placed("o1", "c2", carrier="ups"))
    assert [letter[0] for letter in await shop.letters()] == ["order_unknown", "order_conflict"]
    assert await shop.rows("select state, carrier from shipments") == [("assigned", "gls")]


async def test_two_batches_that_create_the_same_people_at_once_agree(shop: Engine) -> None:
    await shop.start(0)
    await shop.start(1)
    forth = shop.batch(*(placed(f"a{n}", f"c{n}") for n in range(200)))
    back = shop.batch(*(placed(f"b{n}", f"c{n}") for n in reversed(range(200))), partition=1)
    await asyncio.gather(*(shop.new_transaction().apply(one, lambda: True) for one in (forth, back)))
    counts = await shop.counts()
    assert (counts["subjects"], counts["shipments"]) == (200, 400)
    follow_ups = [
        event("order.address_changed", f"{lot}{n}", f"c{n}", ship_to=MOVED) for lot in "ab" for n in range(200)
    ]
    shop.offsets[0] = 200
    told = await shop.apply(*follow_ups)
    assert len(told) == 400, "every sealed recipient opens"


async def test_two_people_who_place_the_same_number_at_once_get_one_shipment(shop: Engine) -> None:
    await shop.start(0)
    await shop.start(1)
    batches = [
        shop.batch(*(placed(f"o{n}", f"{who}{n}") for n in range(30)), partition=partition)
        for partition, who in enumerate("ab")
    ]
    owed = await asyncio.gather(*(shop.new_transaction().apply(one, lambda: True) for one in batches))
    assigned = [told for each in owed for told in shop.told(each) if told.event_type == ASSIGNED]
    assert sorted(assigned) == sorted(Told("gls", ASSIGNED, f"o{n}.1") for n in range(30))
    assert {letter[0] for letter in await shop.letters()} == {"order_conflict"}
    assert len(await shop.letters()) == 30


async def test_events_of_a_fenced_person_are_parked_without_a_body(shop: Engine) -> None:
    await shop.apply(placed("o1", "c1"), placed("o2", "c2"))
    fenced = shop.vault.reference_hash("c1").hex()
    await shop.pool.execute("update subjects set fenced_at = $2 where reference_hash = $1::text::uuid", fenced, NOW)
    told = await shop.apply(placed("o3", "c1"), event("order.cancelled", "o1", "c1", reason="shop"), placed("o4", "c2"))
    assert [one for one in told if one.event_type == ASSIGNED] == [Told("gls", ASSIGNED, "o4.1")]
    assert await shop.letters() == [("subject_fenced", "parked", 1, False)] * 2


@pytest.mark.parametrize(("minutes_later", "is_kept"), [(0, False), (1, True)], ids=["from before", "by a new person"])
async def test_what_cannot_be_read_of_an_erased_person_is_parked_without_a_body(
    shop: Engine, minutes_later: int, is_kept: bool
) -> None:
    erased = shop.vault.reference_hash("c1").hex()
    await shop.pool.execute("insert into erased_references values ($1::text::uuid, $2)", erased, NOW)
    await shop.apply(placed("o1", "c1", ship_to={"name": "Ada"}, time=NOW + timedelta(minutes=minutes_later)))
    await shop.apply(placed("o2", "c2", ship_to={"name": "Erik"}))
    assert await shop.letters() == [
        ("invalid_field", "parked", 1, is_kept),
        ("invalid_field", "parked", 1, True),
    ]


async def test_a_fence_waits_for_whoever_applies_something_of_its_person(shop: Engine) -> None:
    await shop.apply(placed("o1", "c1"))
    async with shop.pool.acquire() as connection, connection.transaction():
        await shop.vault.hold(connection, [shop.vault.reference_hash("c1")])
        fence = asyncio.create_task(shop.pool.execute("update subjects set fenced_at = now()"))
        await asyncio.sleep(0.2)
        assert not fence.done()
    await fence


async def test_what_comes_late_of_an_erased_person_leaves_no_subject_behind(shop: Engine) -> None:
    erased = shop.vault.reference_hash("c1").hex()
    await shop.pool.execute("insert into erased_references values ($1::text::uuid, $2)", erased, NOW)
    await shop.apply(placed("o1", "c1"), placed("o2", "c2"))
    assert (await shop.counts())["subjects"] == 1
    await shop.apply(placed("o3", "c1"), placed("o4", "c1", time=NOW + timedelta(minutes=1)))
    assert (await shop.counts())["subjects"] == 2, "of whom something was taken in is known"


async def test_too_many_refusals_stop_the_worker_and_nothing_was_applied(database: str, tmp_path: Path) -> None:
    async with engine(database, tmp_path, parking_max_consecutive=5) as shop:
        await shop.apply(placed("o1"))
        before = await shop.counts()
        with pytest.raises(ParkingLimit):
            await shop.apply(placed("o2"), *(placed(f"x{n}", carrier="nobody") for n in range(5)))
        assert await shop.counts() == before
        assert await shop.position() == 1
