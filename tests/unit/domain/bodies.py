"""Invented orders with everything in them that looks like a card number and is none."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable

_STREETS = [
    "Lindenallee",
    "Rue de la Paix",
    "Calle Mayor",
    "Main Street",
    "Østergade",
    "Via Roma",
    "ul. Długa",
]
_CITIES = ["Köln", "Lyon", "Madrid", "Springfield", "København", "Roma", "Łódź", "東京都", "Αθήνα", "القاهرة"]
_NAMES = ["Jane Example", "Jörg Muster", "Zoë Exemple", "Łukasz Przykład", "山田 太郎", "Δοκιμή Παράδειγμα"]


def order(rng: random.Random) -> dict[str, object]:
    """One order with identifiers of 16 digits, phones, bar codes, tracking numbers, times and prices."""

    def digits(n: int) -> str:
        return "".join(rng.choices("0123456789", k=n))

    return {
        "order_id": digits(16) if rng.random() < 0.5 else f"ord-{digits(6)}",
        "customer_ref": digits(rng.choice([8, 13, 15, 16, 19])),
        "carrier": "dhl-parcel-de",
        "ship_to": {
            "name": rng.choice(_NAMES),
            "lines": [f"{rng.choice(_STREETS)} {rng.randrange(1, 300)}", f"Apt. {rng.randrange(1, 9999)}"],
            "city": rng.choice(_CITIES),
            "postal_code": digits(rng.choice([4, 5, 7])),
            "country_code": "DE",
            "phone": _phone(rng, digits),
            "email": f"jane{digits(4)}@example.com",
        },
        "placed_at": f"2026-0{rng.randrange(1, 9)}-1{digits(1)}T1{digits(1)}:57:0{digits(1)}.{digits(6)}Z",
        "placed_at_ms": 1_700_000_000_000 + rng.randrange(10**11),
        "trace": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "tracking_number": _tracking(rng, digits),
        "items": [{"ean": _ean("4" + digits(11)), "quantity": 2, "price": rng.randrange(9999) / 100}],
        "total": f"{rng.randrange(9999)}.{digits(2)}",
        "geo": f"{rng.uniform(-90, 90)},{rng.uniform(-180, 180)}",
        "latitude": rng.uniform(-90, 90),
        "note": f"Ring twice, or call {_phone(rng, digits)} / 0{digits(3)} {digits(7)}",
    }


def body(rng: random.Random) -> bytes:
    """The order as the various producers write JSON."""
    compact = rng.random() < 0.5
    text = json.dumps(order(rng), ensure_ascii=rng.random() < 0.5, separators=(",", ":") if compact else None)
    return text.encode()


def _phone(rng: random.Random, digits: Callable[[int], str]) -> str:
    forms = [
        lambda: f"+49 30 {digits(7)}",
        lambda: f"+49 15{digits(1)} {digits(8)}",
        lambda: f"0049 4{digits(3)} {digits(7)}",
        lambda: f"4915{digits(9)}",
        lambda: f"+44 7{digits(3)} {digits(6)}",
        lambda: "+33 6 " + " ".join(digits(2) for _ in range(4)),
        lambda: f"+1 ({digits(3)}) 555-01{digits(2)}",
        lambda: f"+43{digits(12)}",
        lambda: f"+3706{digits(7)}",
    ]
    return rng.choice(forms)()


def _tracking(rng: random.Random, digits: Callable[[int], str]) -> str:
    usps = _usps("9400" + digits(17))
    forms = [
        f"003404341{digits(11)}",
        f"1Z{digits(3)}AA1{digits(10)}",
        digits(12),
        usps,
        f"0150{digits(10)}",
        f"JJD{digits(18)}",
    ]
    return rng.choice(forms)


def _ean(twelve: str) -> str:
    total = sum(int(c) * (3 if i % 2 else 1) for i, c in enumerate(twelve))
    return twelve + str(-total % 10)


def _usps(twenty_one: str) -> str:
    total = sum(int(c) * (1 if i % 2 else 3) for i, c in enumerate(reversed(twenty_one)))
    number = twenty_one + str(-total % 10)
    return " ".join(number[i : i + 4] for i in range(0, 22, 4))
