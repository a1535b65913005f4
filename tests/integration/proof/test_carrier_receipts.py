"""What carriers answer to withdrawals: into the ledger of erasures and into the disclosure ledger."""

import json
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.engine import Engine, engine
from tests.support.orders import NOW, Published, event, placed
from workers.carrier_receipts import NAME, TOPIC, CarrierReceiptsUnit
from workers.engine.admission import Admission
from workers.proof.carrier_ledger import CarrierLedger, CarrierNotice
from workers.proof.facts import CarrierProof

REQUEST, OTHER = uuid.uuid4(), uuid.uuid4()
TOLD = NOW - timedelta(minutes=1)


def answer(withdrawal_id: str, carrier: str = "gls", *, key: str | None = None, **said: str) -> Published:
    """`address.withdrawal_acknowledged` from a carrier."""
    made = event("address.withdrawal_acknowledged", event_id=str(uuid.uuid4()), key=(key or carrier).encode())
    return made._replace(value=json.dumps({"carrier": carrier, "withdrawal_id": withdrawal_id, **said}).encode())


class Office:
    """A ledger, the worker that reads a carrier's topic, and the worker that took the orders."""

    def __init__(self, orders: Engine) -> None:
        self.orders = orders
        self.ledger = CarrierLedger(orders.ring)
        self.receipts = Engine(
            orders.pool, orders.ring, orders.settings, lambda: CarrierReceiptsUnit(self.ledger, orders.settings), NAME,
            TOPIC.format(carrier="gls"),
        )  # fmt: skip
        self.receipts.admission = Admission(self.receipts.group, TOPIC, orders.ring, orders.settings)

    async def tell(self, *withdrawals: str, request: uuid.UUID = REQUEST, carrier: str = "gls") -> None:
        """An erasure tells a carrier."""
        notices = [CarrierNotice(request, carrier, one) for one in withdrawals]
        async with self.orders.pool.acquire() as connection, connection.transaction():
            await self.ledger.tell(connection, notices, TOLD)

    async def standing(self, *requests: uuid.UUID) -> Sequence[CarrierProof]:
        """What the certificate of each request would say."""
        async with self.orders.pool.acquire() as connection:
            found = await self.ledger.standing(connection, requests or (REQUEST,))
        return [proof for request in requests or (REQUEST,) for proof in found.get(request, ())]


@pytest.fixture
async def office(database: str, tmp_path: Path) -> AsyncIterator[Office]:
    async with engine(database, tmp_path) as orders:
        yield Office(orders)


async def test_answers_are_counted_per_request_and_carrier(office: Office) -> None:
    await office.tell("A-1.2", "A-2.2", "A-3.4")
    await office.tell("B-1.2", carrier="ups")
    await office.tell("C-1.2", request=OTHER)
    await office.receipts.apply(answer("A-1.2"), answer("A-3.4", outcome="kept"))
    gls, ups = await office.standing()
    assert (gls.carrier, gls.shipments, gls.acknowledged, gls.kept, gls.told_at) == ("gls", 3, 2, 1, TOLD)
    assert gls.acknowledged_at == NOW
    assert (ups.carrier, ups.shipments, ups.acknowledged, ups.acknowledged_at) == ("ups", 1, 0, None)
    (other,) = await office.standing(OTHER)
    assert other.acknowledged == 0


async def test_the_first_answer_counts_and_telling_again_changes_nothing(office: Office) -> None:
    await office.tell("A-1.2")
    await office.receipts.apply(answer("A-1.2", outcome="kept"), answer("A-1.2"))
    await office.receipts.apply(answer("A-1.2"))
    await office.tell("A-1.2")
    (gls,) = await office.standing()
    assert (gls.acknowledged, gls.kept, gls.acknowledged_at) == (1, 1, NOW)


async def test_an_answer_to_an_earlier_withdrawal_of_the_shipment_is_not_one_to_this(office: Office) -> None:
    await office.tell("A-1.4")
    await office.receipts.apply(answer("A-1.2"))
    assert [one.acknowledged for one in await office.standing()] == [0]


async def test_an_ordinary_withdrawal_is_acknowledged_in_the_disclosure_ledger(office: Office) -> None:
    assert [told.event_type for told in await office.orders.apply(placed("A-1"), event("order.delivered", "A-1"))] == [
        "address.assigned", "address.withdrawn",
    ]  # fmt: skip
    await office.receipts.apply(answer("A-1.1"), answer("A-1.x"), answer("A-2.2"), answer("none"))
    assert await office.orders.rows("select count(*) from disclosures where acknowledged_at is not null") == [(0,)]
    await office.receipts.apply(answer("A-1.2"))
    assert await office.orders.rows("select revision, acknowledged_at from disclosures order by revision") == [
        (1, None), (2, NOW),
    ]  # fmt: skip


async def test_an_answer_to_nothing_has_no_effect_and_parks_nothing(office: Office) -> None:
    await office.receipts.apply(answer("A-1.2"), answer("4111111111111111.3"), answer("x." + "9" * 40))
    assert await office.receipts.letters() == []
    assert await office.standing() == []


async def test_a_carrier_answers_for_itself_alone(office: Office) -> None:
    await office.tell("B-1.2", carrier="ups")
    await office.receipts.apply(answer("B-1.2", "ups"), answer("B-1.2", "ups", key="gls"), answer("B-1.2", "gls"))
    assert [one[0] for one in await office.receipts.letters()] == ["unknown_carrier", "key_invalid"]
    assert [one.acknowledged for one in await office.standing()] == [0]


async def test_no_order_s_number_stands_in_the_ledger_and_it_ends_with_the_request(office: Office) -> None:
    await office.tell("A-1.2")
    await office.tell("C-1.2", request=OTHER)
    row = str(await office.orders.rows("select carrier_notices::text from carrier_notices"))
    assert "A-1" not in row
    async with office.orders.pool.acquire() as connection:
        await office.ledger.forget(connection, [REQUEST])
    assert await office.standing() == []
    assert len(await office.standing(OTHER)) == 1
    await office.receipts.apply(answer("A-1.2"))
    assert await office.standing() == []
