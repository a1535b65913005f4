"""Events that Lethe must refuse, each with the code that it must refuse them with."""

import copy
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from schemas.recipient import Recipient
from workers import errors
from workers.cli.samples.events import SampleEvent, event
from workers.domain import projection
from workers.domain.carriers import Carrier
from workers.errors import RefusalCode

_GERMAN = {
    "name": "Erika Beispiel",
    "lines": ["Hauptstraße 12"],
    "city": "Köln",
    "postal_code": "50667",
    "country_code": "DE",
    "phone": "+49 30 23125 042",
}
_AMERICAN = {
    "name": "Taylor Sample",
    "lines": ["12 Maple Avenue"],
    "city": "New York",
    "region": "NY",
    "postal_code": "10001",
    "country_code": "US",
    "phone": "+1 202 555 0142",
}


class _Maker:
    """Makes orders that are good but for one thing; numbers them."""

    def __init__(self, seed: int, carriers: Mapping[str, Carrier], since: datetime) -> None:
        self.seed, self.carriers, self.since, self.number = seed, carriers, since, 0

    def order(self, carrier: str | None = None, ship_to: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        self.number += 1
        return {
            "order_id": f"bad{self.seed}-{self.number:03d}",
            "customer_ref": f"cbad{self.seed}-{self.number:03d}",
            "carrier": carrier or next(iter(self.carriers)),
            "ship_to": copy.deepcopy(ship_to or _GERMAN),
            **more,
        }

    def event(self, code: RefusalCode, order: dict[str, Any], data: str | None = None, **options: Any) -> SampleEvent:
        made = event(
            options.get("type", "order.placed"),
            f"{order['order_id']}:{code}",
            options.get("key", order["customer_ref"]),
            options.get("time", self.since),
            json.dumps(order) if data is None else data,
        )
        return made._replace(expected=code)

    def with_header(self, code: RefusalCode, name: str, value: bytes | None) -> SampleEvent:
        made = self.event(code, self.order())
        headers = [header for header in made.headers if header[0] != name]
        return made._replace(headers=headers if value is None else [*headers, (name, value)])


def refusals(seed: int, carriers: Mapping[str, Carrier], since: datetime, large: bool = False) -> list[SampleEvent]:
    """One event or more for each way to be wrong; no two share an order. `large` adds a body of 2 MB."""
    maker = _Maker(seed, carriers, since)
    return [*_envelopes(maker), *_bodies(maker), *_addresses(maker), *([_too_large(maker)] if large else [])]


def _envelopes(make: _Maker) -> Iterator[SampleEvent]:
    yield make.with_header(RefusalCode.HEADER_MISSING, "ce_id", None)
    yield make.with_header(RefusalCode.HEADER_INVALID, "ce_time", b"yesterday")
    yield make.with_header(RefusalCode.CONTROL_CHARACTER, "ce_source", b"/shop\r\nx-injected: 1")
    yield make.with_header(RefusalCode.TYPE_UNKNOWN, "ce_type", b"order.exploded")
    yield make.with_header(RefusalCode.VERSION_UNKNOWN, "ce_dataschema", b"urn:lethe:order.placed:v9")
    yield make.event(RefusalCode.KEY_INVALID, make.order(), key="erika.beispiel@example.com")
    yield make.event(RefusalCode.TIME_IMPLAUSIBLE, make.order(), time=make.since + timedelta(days=3650))
    yield make.event(RefusalCode.TIME_IMPLAUSIBLE, make.order(), time=make.since.replace(year=1999, day=1))


def _bodies(make: _Maker) -> Iterator[SampleEvent]:
    order = make.order()
    yield make.event(RefusalCode.INVALID_JSON, order, json.dumps(order)[:-7])
    order = make.order()
    twice = json.dumps(order)[:-1] + f', "order_id": "{order["order_id"]}"}}'
    yield make.event(RefusalCode.DUPLICATE_KEY, order, twice)
    order = make.order(note="?")
    yield make.event(RefusalCode.INVALID_UNICODE, order, json.dumps(order).replace("?", "\\ud800"))
    yield make.event(RefusalCode.CONTROL_CHARACTER, make.order(ship_to={**_GERMAN, "city": "Kö\x00ln"}))
    order = make.order(note="?")
    deep = "[" * 200 + "]" * 200
    yield make.event(RefusalCode.TOO_DEEP, order, json.dumps(order).replace('"?"', deep))
    yield make.event(RefusalCode.INVALID_FIELD, make.order(ship_to={**_GERMAN, "lines": []}))
    yield make.event(RefusalCode.CARD_DATA, make.order(note="paid with 4111 1111 1111 1111"))
    yield make.event(RefusalCode.CARD_DATA, make.order(payment={"card_number": "5555-5555-5555-4444", "cvv": "123"}))
    yield make.event(RefusalCode.UNKNOWN_CARRIER, make.order(carrier="pigeon-post"))
    order = make.order()
    nobody = json.dumps({"order_id": order["order_id"], "customer_ref": order["customer_ref"]})
    yield make.event(RefusalCode.ORDER_UNKNOWN, order, nobody, type="order.ready")


def _addresses(make: _Maker) -> Iterator[SampleEvent]:
    wrong: list[tuple[RefusalCode, dict[str, Any]]] = [
        (RefusalCode.ADDRESS_INCOMPLETE, _without(_AMERICAN, "postal_code")),
        (RefusalCode.ADDRESS_INCOMPLETE, _without(_AMERICAN, "region")),
        (RefusalCode.ADDRESS_INCOMPLETE, _without(_GERMAN, "city")),
        (RefusalCode.ADDRESS_INVALID, {**_GERMAN, "postal_code": "5066"}),
        (RefusalCode.ADDRESS_TOO_LONG, {**_GERMAN, "lines": ["Donaudampfschifffahrts" * 5 + "straße 1"]}),
        (RefusalCode.CONTACT_MISSING, _without(_AMERICAN, "phone")),
    ]
    for code, ship_to in wrong:
        carrier = next((name for name, each in make.carriers.items() if _refusal(ship_to, each) == code), None)
        if carrier:
            yield make.event(code, make.order(carrier, ship_to))


def _too_large(make: _Maker) -> SampleEvent:
    return make.event(RefusalCode.BODY_TOO_LARGE, make.order(note="x" * 2_000_000))


def _without(ship_to: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in ship_to.items() if name != field}


def _refusal(ship_to: dict[str, Any], carrier: Carrier) -> RefusalCode | None:
    try:
        projection.project(Recipient.model_validate_json(json.dumps(ship_to)), carrier, consent=False)
    except errors.Refused as refused:
        return refused.code
    return None
