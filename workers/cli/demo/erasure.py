"""The demo's erasure on a running platform: somebody asks, proves who they are, and is gone everywhere."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg

from workers import policies
from workers.cli import connections
from workers.cli.demo import erasure_carriers, erasure_page, erasure_proof, patience, people, shop_database
from workers.cli.demo import shop as shops
from workers.cli.demo.carrier import CarrierReader, Received
from workers.cli.demo.erasure_page import Asked
from workers.cli.demo.erasure_proof import Proof
from workers.cli.demo.letters import PURPOSE
from workers.cli.demo.mailbox import Mailbox
from workers.cli.demo.people import ASKING, NEIGHBOUR, Customer, Parcel
from workers.cli.demo.residue import Found, Search
from workers.cli.demo.run import Run
from workers.cli.demo.shop import Row, Shop
from workers.cli.demo.shop_parcels import in_motion
from workers.cli.events import upstream
from workers.cli.local.steps import Steps
from workers.cli.samples import homes
from workers.cli.samples.events import SampleEvent
from workers.db import sql
from workers.domain.carriers import Carrier
from workers.errors import UsageError
from workers.settings import Settings

OTHER_CUSTOMERS: Final = 300
_QUERIES = sql.queries("demo")
_GONE_WITHIN_S: Final = 60.0
_BETWEEN_LOOKS_S: Final = 1.0


class Parcels(NamedTuple):
    """Who ordered what: the person who asks, at two carriers; the neighbour, one that a carrier knows and one not."""

    asking: tuple[Parcel, ...]
    neighbour: tuple[Parcel, ...]


class Kept(NamedTuple):
    """What stays with Lethe of erased people: keyed hashes, counted."""

    erased: int
    suppressed: int


class ErasureRun(NamedTuple):
    """What happened. `before` and `after`: the stores' rows; `found_before`, `found_after`: the scans; `subscribed_…`:
    the addresses on the list; `received` by carriers; `again`: what the neighbour's carrier got after the erasure."""

    parcels: Parcels
    before: list[Row]
    after: list[Row]
    found_before: Found
    found_after: Found
    looks: int
    asked: Asked
    received: list[Received]
    again: list[Received]
    proof: Proof
    answer: EmailMessage
    mails_taken: int
    subscribed_before: frozenset[str]
    subscribed_after: frozenset[str]
    kept: Kept
    seconds: float
    segment_ms: int


async def run(
    settings: Settings, data_dir: Path, carriers: Mapping[str, Carrier], orders: Run, steps: Steps
) -> ErasureRun:  # fmt: skip
    """`carriers` are the shop's. Raises LetheError when nothing moves any more, UsageError without a carrier."""
    parcels = _parcels([name for name, one in carriers.items() if homes.takes(one, people.recipient(ASKING))])
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(connections.database(settings))
        names = {one.carrier for one in (*parcels.asking, *parcels.neighbour)}
        readers = {name: await stack.enter_async_context(CarrierReader(name, settings)) for name in sorted(names)}
        return await _Act(settings, data_dir, db, readers, parcels, steps).play(orders)


class _Act:
    """The scenes, in order."""

    def __init__(
        self, settings: Settings, data_dir: Path, db: asyncpg.Connection, readers: dict[str, CarrierReader],
        parcels: Parcels, steps: Steps,
    ) -> None:  # fmt: skip
        assert settings.sink_dir is not None
        self._settings = settings
        self._db = db
        self._readers = readers
        self._parcels = parcels
        self._steps = steps
        self._shop = Shop(settings, data_dir)
        self._data_dir = data_dir
        self._mailbox = Mailbox(settings.sink_dir)

    async def play(self, orders: Run) -> ErasureRun:
        with self._steps.step(f"{ASKING.name} and {NEIGHBOUR.name}, of one street, order and agree to the newsletter"):
            await self._enter()
        customers = shops.customers(orders.traffic.orders, self._customers(), OTHER_CUSTOMERS)
        with self._steps.step(f"The shop's database, exports and parcels hold {len(customers)} customers"):
            await self._shop.open(customers)
        search = await self._search()
        async with in_motion(self._settings):
            with self._steps.step("lethe scan looks for her in every file of the data directory"):
                before, subscribed_before = await self._shop.rows(), await self._subscribed()
                await self._db.execute(_QUERIES["checkpoint"])
                found_before = await asyncio.to_thread(search.everywhere)
            with self._steps.step("She asks on the page /erasure, and confirms by the link in the mail"):
                asked = await erasure_page.ask(self._settings, self._db, self._mailbox, ASKING.email)
            started_s = time.monotonic()
            await self._erase()
            answer = await self._answer()
            seconds = time.monotonic() - started_s
            proof = await erasure_proof.verify(self._settings, self._db, (await self._standing())["request_id"])
            with self._steps.step("The shop's database is vacuumed (full), its WAL cut off; she empties her mailbox"):
                await shop_database.clean_up(self._settings)
                await self._db.execute(_QUERIES["checkpoint"])
                taken = self._mailbox.empty(ASKING.email)
            with self._steps.step("lethe scan looks for her again, once Kafka has deleted its closed segments"):
                found_after, looks = await self._look_until_clean(search)
            with self._steps.step("The neighbour's parcel that waited becomes ready"):
                again = await self._deliver_to_neighbour()
            kept = await self._kept()
        return ErasureRun(
            self._parcels, before, await self._shop.rows(), found_before, found_after, looks, asked, self._received(),
            again, proof, answer, taken, subscribed_before, await self._subscribed(), kept, seconds,
            self._settings.segment_ms,
        )  # fmt: skip

    async def _enter(self) -> None:
        now = datetime.now(UTC) - timedelta(seconds=5)
        pairs = [(ASKING, self._parcels.asking), (NEIGHBOUR, self._parcels.neighbour)]
        await self._publish("orders", [people.placed(who, parcel, now) for who, of in pairs for parcel in of])
        notice = policies.load(self._settings.policies_dir, self._settings.time_zone).version_at(now)
        await self._publish(people.CONSENTS, [people.agreed(who, PURPOSE, notice, now) for who, _ in pairs])
        for who, _ in pairs:
            mail = Mailbox(self._mailbox.folder)
            await erasure_page.press(await mail.wait_for(who.email), "confirm")
        known = [one for _, of in pairs for one in of if not one.waits]
        await erasure_carriers.read_until(self._readers, {one.order_id for one in known}, "address.assigned")

    async def _erase(self) -> None:
        """Scene by scene, as the database tells; the carriers answer meanwhile."""
        hers = {one.order_id for one in self._parcels.asking}
        answering = asyncio.create_task(erasure_carriers.answer(self._settings, self._readers, hers))
        try:
            for text, is_done in _SCENES:
                with self._steps.step(text):
                    await patience.until(self._standing, is_done, lambda row: f"the request is {row['state']}")
            await answering
        finally:
            answering.cancel()

    async def _answer(self) -> EmailMessage:
        with self._steps.step("The certificate is issued, and the answer is in her mailbox"):
            await patience.until(self._standing, lambda row: row["certificate"], lambda row: row["state"])
            return (await self._mailbox.wait_for(ASKING.email)).opened()

    async def _look_until_clean(self, search: Search) -> tuple[Found, int]:
        """Kafka deletes closed segments by itself, a few seconds later: when its files are clean, all are looked at."""
        looks, started_s = 0, time.monotonic()
        while True:
            found, looks = await asyncio.to_thread(search.in_kafka), looks + 1
            is_late = time.monotonic() - started_s > _GONE_WITHIN_S
            if found.is_clean or is_late:
                found = await asyncio.to_thread(search.everywhere)
            if found.is_clean or is_late:
                return found, looks
            await asyncio.sleep(_BETWEEN_LOOKS_S)

    async def _deliver_to_neighbour(self) -> list[Received]:
        waited = [one for one in self._parcels.neighbour if one.waits]
        now = datetime.now(UTC)
        await self._publish("orders", [people.ready(NEIGHBOUR, one, now) for one in waited])
        numbers = {one.order_id for one in waited}
        await erasure_carriers.read_until(self._readers, numbers, "address.assigned")
        return [one for one in self._received() if one.shipment_id in numbers]

    async def _search(self) -> Search:
        named = {"lethe": connections.database_name(self._settings), "shop": shop_database.DATABASE}
        numbers = {await self._db.fetchval(_QUERIES["database_number"], name): which for which, name in named.items()}
        return Search(ASKING.tokens, self._data_dir, numbers)

    async def _standing(self) -> dict[str, Any]:
        row = await self._db.fetchrow(_QUERIES["standing"])
        return {} if row is None else dict(row)

    async def _kept(self) -> Kept:
        row = await self._db.fetchrow(_QUERIES["ledger"])
        assert row is not None  # it counts
        return Kept(row["erased"], row["suppressed"])

    async def _subscribed(self) -> frozenset[str]:
        return await erasure_proof.subscribed(self._settings, self._db, PURPOSE)

    def _received(self) -> list[Received]:
        return [one for reader in self._readers.values() for one in reader.received]

    def _customers(self) -> list[Customer]:
        pairs = [(ASKING, self._parcels.asking), (NEIGHBOUR, self._parcels.neighbour)]
        return [Customer(who, tuple(one.order_id for one in of)) for who, of in pairs]

    async def _publish(self, topic: str, events: list[SampleEvent]) -> None:
        records = (upstream.Outgoing(one.key, one.headers, one.value) for one in events)
        await upstream.publish(self._settings, self._settings.topic(topic), records)


_SCENES: Final = (
    (
        "She is fenced; carriers are told to forget her, her rows and data keys deleted",
        lambda row: row["effective_at"] is not None,
    ),
    (
        "The three stores erase, and are looked at again",
        lambda row: row["stores"] > 0 and row["proven"] == row["stores"],
    ),
    (
        "The inbound topics are trimmed, the carriers' compacted, the key epoch destroyed",
        lambda row: all(row[name] is not None for name in ("trimmed_at", "compacted_at", "shredded_at")),
    ),
)


def _parcels(carriers: list[str]) -> Parcels:
    if not carriers:
        raise UsageError("no carrier takes a parcel to Germany: the demo's erasure needs one")
    first, last = carriers[0], carriers[-1]
    return Parcels(
        (Parcel("N-7001", first), Parcel("N-7002", last)),
        (Parcel("N-7003", first), Parcel("N-7004", last, waits=True)),
    )
