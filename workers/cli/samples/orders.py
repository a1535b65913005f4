"""A seeded stream of order events as a shop would publish them: for the demo, the bench and tests.

The same arguments give the same bytes, always. Every good order passes its model, and its carrier takes it.
"""

import heapq
import itertools
import json
import random
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from workers.cli.samples import refusals as sample_refusals
from workers.cli.samples.events import SampleEvent, event
from workers.cli.samples.homes import Home, homes
from workers.domain.carriers import Carrier

MILLISECOND: Final = timedelta(milliseconds=1)


class _Order(NamedTuple):
    order_id: str
    customer_ref: str
    carrier: str
    waits: bool


class _Later(NamedTuple):
    """What happens to an order once `due` orders are placed; `serial` sorts what is due together."""

    due: int
    serial: int
    order: _Order
    what: str
    more: str = ""


def orders(
    count: int,
    seed: int,
    carriers: Mapping[str, Carrier],
    since: datetime,
    step: timedelta = MILLISECOND,
    countries: Collection[str] = (),
    follow_ups: bool = False,
    bad: bool = False,
) -> Iterator[SampleEvent]:
    """`count` events `order.placed`, `step` apart from `since` (with a zone) on, each to one of `carriers`.

    `countries` (alpha-2): where to; none means all that `places` knows. `follow_ups` adds the later
    life of some orders (held back until ready, changed, cancelled, delivered), each after what it follows.
    `bad` strews in `sample_refusals.refusals`, whose `expected` says why each must be refused.
    """
    rng = random.Random(seed)  # noqa: S311  (repeatable, no secret)
    places = homes(rng, carriers, countries)
    customers = max(1, count * 3 // 5)
    refusals = iter(sample_refusals.refusals(seed, carriers, since) if bad else ())
    spacing = max(1, count // 40)
    pending: list[_Later] = []
    serials = itertools.count()
    for number in range(count):
        now = since + number * step
        while pending and pending[0].due <= number:
            yield _follow_up(heapq.heappop(pending), now)
        customer = int(rng.random() * customers)
        home = places[customer * 7919 % len(places)]
        order = _Order(
            order_id=f"o{seed}-{number:07d}",
            customer_ref=f"c{seed}-{customer:06d}",
            carrier=home.carriers[int(rng.random() * len(home.carriers))],
            waits=follow_ups and rng.random() < 0.08,
        )
        yield _placed(order, home, rng.random() < 0.3, now)
        if follow_ups and (later := _later(rng, order, places, number, next(serials))):
            heapq.heappush(pending, later)
        if number % spacing == 0 and (refusal := next(refusals, None)):
            yield refusal
    for later in sorted(pending):
        yield _follow_up(later, since + count * step)
    yield from refusals


def _placed(order: _Order, home: Home, consent: bool, now: datetime) -> SampleEvent:
    flags = (',"contact_consent":true' if consent else "") + (',"wait_for_ready":true' if order.waits else "")
    data = (
        f'{{"order_id":"{order.order_id}","customer_ref":"{order.customer_ref}","carrier":"{order.carrier}"{flags},'
        f'"ship_to":{home.ship_to}}}'
    )
    return event("order.placed", f"{order.order_id}:placed", order.customer_ref, now, data)


def _later(rng: random.Random, order: _Order, places: list[Home], number: int, serial: int) -> _Later | None:
    chance = rng.random()
    due = number + 5 + int(rng.random() * 60)
    if order.waits:
        if chance < 0.2:
            return _Later(due, serial, order, "cancelled", ',"reason":"customer"')
        return _Later(due, serial, order, "ready")
    if chance < 0.05:
        return _Later(due, serial, order, "address_changed", f',"ship_to":{_new_home(rng, order, places)}')
    if chance < 0.08:
        reason = json.dumps("shop" if chance < 0.06 else "payment")
        return _Later(due, serial, order, "cancelled", f',"reason":{reason}')
    if chance < 0.25:
        return _Later(due + 100, serial, order, "delivered")
    return None


def _new_home(rng: random.Random, order: _Order, places: list[Home]) -> str:
    """A home that the order's carrier goes to; there is one: the present home."""
    start = int(rng.random() * len(places))
    turned = itertools.chain(places[start:], places[:start])
    return next(home.ship_to for home in turned if order.carrier in home.carriers)


def _follow_up(later: _Later, now: datetime) -> SampleEvent:
    order = later.order
    data = f'{{"order_id":"{order.order_id}","customer_ref":"{order.customer_ref}"{later.more}}}'
    return event(f"order.{later.what}", f"{order.order_id}:{later.what}", order.customer_ref, now, data)
