"""By what a person is known: addresses, customer references, orders; sealed under the request's own key."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

import orjson

from workers.domain import email_address
from workers.vault import sealing
from workers.vault.keyring import Keyring
from workers.vault.subjects import Subject, SubjectVault


class Identities(NamedTuple):
    """Normalised addresses, customer references, order numbers; each once, in order."""

    emails: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()

    def with_more(self, emails: Iterable[str], orders: Iterable[str]) -> "Identities":
        """These, and what was found besides."""
        return Identities(
            tuple(dict.fromkeys((*self.emails, *emails))),
            self.references,
            tuple(dict.fromkeys((*self.orders, *orders))),
        )

    def for_stores(self) -> dict[str, list[str]]:
        """By the names that the stores' protocol has for them. An order is a shipment of the same number."""
        orders = list(self.orders)
        return {
            "email": list(self.emails), "customer_ref": list(self.references), "order_id": orders,
            "shipment_id": orders,
        }  # fmt: skip


def reference_hashes(known_by: Identities, vault: SubjectVault) -> list[bytes]:
    """The hashes that subjects and contacts are found by."""
    return [vault.reference_hash(reference) for reference in known_by.references]


def email_hashes(known_by: Identities, keyring: Keyring) -> list[bytes]:
    """The hashes that contacts and orders are found by, in every spelling that an order may have."""
    spelled = {one for email in known_by.emails for one in email_address.spellings(email)}
    return [keyring.lookup_hash("email", one.encode()) for one in sorted(spelled)]


def hashes(known_by: Identities, vault: SubjectVault, keyring: Keyring) -> list[bytes]:
    """By what a second request of the same person is known."""
    emails = [keyring.lookup_hash("email", email.encode()) for email in known_by.emails]
    return reference_hashes(known_by, vault) + emails


def seal(known_by: Identities, key: Subject, request_id: UUID) -> bytes:
    """Sealed for the request's row."""
    return key.key.seal(orjson.dumps(known_by._asdict()), _place(key, request_id))


def unseal(sealed: bytes, key: Subject, request_id: UUID) -> Identities:
    """What was sealed. Raises sealing.Unreadable."""
    opened = orjson.loads(key.key.unseal(sealed, _place(key, request_id)))
    return Identities(*(tuple(opened[name]) for name in Identities._fields))


def _place(key: Subject, request_id: UUID) -> bytes:
    return sealing.place("requests", "sealed", key.subject_id, str(request_id))
