"""Two invented people with one surname in one street: one will be erased, the other must not notice."""

import json
from datetime import datetime
from typing import Final, NamedTuple

from schemas.recipient import Recipient
from workers.cli.samples.events import SampleEvent, event

CONSENTS: Final = "consents"
_WORDING: Final = "Yes, write to me once a week. I can end it in every mail."


class Parcel(NamedTuple):
    """An order and the carrier that it goes to. `waits`: it is not ready yet, and no carrier knows of it."""

    order_id: str
    carrier: str
    waits: bool = False


class Person(NamedTuple):
    """A customer, as the shop knows them."""

    reference: str
    name: str
    street: str
    postal_code: str
    city: str
    email: str
    phone: str

    @property
    def tokens(self) -> dict[str, str]:
        """What can be searched for, by what it is. None of it is part of anybody else's."""
        return {
            "name": self.name, "street": self.street, "e-mail": self.email, "phone": self.phone,
            "customer reference": self.reference,
        }  # fmt: skip


class Customer(NamedTuple):
    """A person and the numbers of their orders."""

    person: Person
    orders: tuple[str, ...]


ASKING: Final = Person(
    "K-581602", "Ottilie Quendelbach", "Silberpappelweg 17", "01309", "Dresden", "ottilie.quendelbach@example.org",
    "+493515550117",
)  # fmt: skip
NEIGHBOUR: Final = Person(
    "K-581603", "Konrad Quendelbach", "Silberpappelweg 71", "01309", "Dresden", "konrad.quendelbach@example.org",
    "+493515550171",
)  # fmt: skip


def recipient(person: Person) -> Recipient:
    """Where their parcels go."""
    return Recipient.model_validate_json(json.dumps(_ship_to(person)))


def placed(person: Person, parcel: Parcel, at: datetime) -> SampleEvent:
    """`order.placed`; the carrier may have phone and e-mail."""
    data = {
        "order_id": parcel.order_id, "customer_ref": person.reference, "carrier": parcel.carrier,
        "contact_consent": True, "wait_for_ready": parcel.waits,
        "ship_to": _ship_to(person),
    }  # fmt: skip
    return event("order.placed", f"{parcel.order_id}:placed", person.reference, at, json.dumps(data))


def ready(person: Person, parcel: Parcel, at: datetime) -> SampleEvent:
    """`order.ready`: from now on the carrier needs the address."""
    data = {"order_id": parcel.order_id, "customer_ref": person.reference}
    return event("order.ready", f"{parcel.order_id}:ready", person.reference, at, json.dumps(data))


def agreed(person: Person, purpose: str, privacy_notice: str, at: datetime) -> SampleEvent:
    """`consent.given` with a box at the checkout, and no more: Lethe asks for the confirmation by mail."""
    data = {
        "customer_ref": person.reference, "email": person.email, "purpose": purpose, "privacy_notice": privacy_notice,
        "language": "en", "collection_method": "checkout",
        "evidence": {"wording": _WORDING, "location": "https://shop.example/checkout"},
    }  # fmt: skip
    return event("consent.given", f"{person.reference}:given", person.reference, at, json.dumps(data), CONSENTS)


def _ship_to(person: Person) -> dict[str, object]:
    return {
        "name": person.name, "lines": [person.street], "city": person.city, "postal_code": person.postal_code,
        "country_code": "DE", "phone": person.phone, "email": person.email,
    }  # fmt: skip
