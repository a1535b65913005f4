"""Facts of erasures, certificates and chains in the few words that a test wants to read."""

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from workers.proof import certificate
from workers.proof.certificate import BEGINNING, Certificate
from workers.proof.facts import (
    CarrierProof,
    Deleted,
    Facts,
    Kept,
    SharedTopic,
    StoreProof,
    TopicProof,
    Unreadable,
)
from workers.proof.signing import Signer

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SIGNER = Signer(b"\x01" * 32)
SHOP = "Bücher & Söhne"
KEPT_GROUND = "Code de commerce L123-22"


def later(minutes: float) -> datetime:
    """So many minutes after the request came."""
    return AT + timedelta(minutes=minutes)


def store(name: str = "crm", **changed: Any) -> StoreProof:
    """A store that deleted two kinds of rows and found nothing afterwards."""
    given = {
        "name": name, "kind": "postgresql",
        "deleted": (Deleted(what="customers", count=1), Deleted(what="notes", count=4)),
        "verified_absent_at": later(3), "backups_expire_on": date(2026, 3, 31),
    }  # fmt: skip
    return StoreProof(**{**given, **changed})


def facts(request_id: uuid.UUID | None = None, **changed: Any) -> Facts:
    """An erasure that was completed, with something of everything that a certificate can say."""
    given = {
        "request_id": request_id or uuid.uuid4(), "outcome": "completed", "received_at": AT, "verified_at": later(1),
        "fenced_at": later(2), "completed_at": later(6),
        "stores": (
            store(),
            store(
                "bookkeeping", kind="http", deleted=(),
                kept=(Kept(what="invoices", ground=KEPT_GROUND, until=date(2036, 12, 31)),),
            ),
        ),
        "own_stores": (
            store("lethe", rendered_unreadable=Unreadable(key_epoch=3, destroyed_at=later(5)), backups_expire_on=None),
        ),
        "topics": (
            TopicProof(topic="orders", trimmed_at=later(4)),
            TopicProof(topic="consents", shared=SharedTopic(retention_days=7, gone_on=date(2026, 3, 8))),
        ),
        "carriers": (
            CarrierProof(
                carrier="gls", shipments=2, told_at=later(2), acknowledged=1, acknowledged_at=later(3),
                gone_from_topic_at=later(5),
            ),
        ),
    }  # fmt: skip
    return Facts(**{**given, **changed})


def partly(request_id: uuid.UUID | None = None, **changed: Any) -> Facts:
    """An erasure that one store did not confirm."""
    given = {"outcome": "partly_completed", "stores": (store(verified_absent_at=None, not_confirmed="no answer"),)}
    return facts(request_id, **{**given, **changed})


def chain(length: int, signer: Signer = SIGNER) -> list[Certificate]:
    """So many certificates in a row, without a database."""
    made: list[Certificate] = []
    for number in range(length):
        made.append(
            certificate.issue(
                facts(uuid.UUID(int=number)), sequence=number + 1, previous_hash=made[-1].hash if made else BEGINNING,
                replaces=None, controller=SHOP, signer=signer, now=later(7),
            )
        )  # fmt: skip
    return made


def documents(certificates: Sequence[Certificate]) -> list[bytes]:
    """Each as it is stored and handed out."""
    return [one.document for one in certificates]


def rendered(one: Facts, controller: str = SHOP) -> Certificate:
    """The first certificate of a chain, of these facts."""
    return certificate.issue(
        one, sequence=1, previous_hash=BEGINNING, replaces=None, controller=controller, signer=SIGNER, now=later(7)
    )
