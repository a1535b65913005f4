"""Everything about persons that can still be opened, byte for byte: to be compared before and after others' erasure."""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

import asyncpg
import orjson

from tests.support import lethe
from tests.support.consents import PURPOSES
from tests.support.crowd import CUSTOMERS, NOTES, Person
from workers import shipping
from workers.cli import connections
from workers.consent.desk import ConsentDesk
from workers.engine import parking
from workers.mail.desk import MailDesk
from workers.settings import Settings
from workers.vault import keyring as keyrings
from workers.vault.subjects import Subject, SubjectVault

Readable = dict[str, dict[str, object]]
"""By customer reference: what it is, and its content."""
CARRIERS = ("gls", "dhl-express")


def everything(settings: Settings, persons: Sequence[Person], exports: Path) -> Readable:
    """What our tables, the carriers' topics and the shop's files hold of these persons. Raises Unreadable."""
    found: Readable = defaultdict(dict)
    order_owner = lethe.in_a_loop(_own(settings, persons, found))
    for record in lethe.read_topics(settings, [f"carrier.{name}.addresses" for name in CARRIERS]):
        if owner := order_owner.get((record.key or b"").decode()):
            found[owner][f"{record.topic.removeprefix(settings.prefix)}/{(record.key or b'').decode()}"] = record.value
    for row in csv.DictReader((exports / CUSTOMERS).read_text().splitlines()):
        found[row["ref"]]["export"] = dict(row)
    for line in (exports / NOTES).read_bytes().splitlines():
        found[orjson.loads(line)["person"]["ref"]]["note"] = line
    return dict(found)


async def _own(settings: Settings, persons: Sequence[Person], found: Readable) -> dict[str, str]:
    """Our tables; returns whose each shipment is."""
    ring = keyrings.load(settings.keyring_dir)
    vault = SubjectVault(ring)
    references = {vault.reference_hash(one.reference): one.reference for one in persons}
    async with connections.database(settings) as connection, connection.transaction():
        rows = await connection.fetch(
            "select subject_id, reference_hash from subjects where reference_hash = any($1::uuid[])",
            [UUID(bytes=hash_) for hash_ in references],
        )
        owners = {row["subject_id"]: references[row["reference_hash"].bytes] for row in rows}
        subjects = await vault.hold_by_id(connection, list(owners))
        orders = await _shipments(connection, owners, subjects, found)
        desk = ConsentDesk(vault, ring, PURPOSES, MailDesk(), settings)
        contacts = await connection.fetch("select contact_id, subject_id from contacts")
        for number, contact in (await desk.contacts_by_id(connection, [row["contact_id"] for row in contacts])).items():
            owner = owners[contact.subject.subject_id]
            found[owner]["contact"] = contact._replace(subject=None)  # type: ignore[arg-type]  # its key was wrapped anew
            found[owner]["consents"] = await desk.statuses(connection, number)
            found[owner]["history"] = await desk.history(connection, contact)
        for row in await connection.fetch("select * from dead_letters where sealed is not null"):
            packed = parking.open_letter(
                ring, UUID(str(row["dead_letter_id"])), row["wrapped_key"], row["key_epoch"], row["sealed"]
            )
            key = parking.unpack(packed, row["topic"], row["partition"], row["record_offset"]).key
            found[key.decode()][f"{row['code']} {row['dead_letter_id']}"] = packed
    return orders


async def _shipments(
    connection: asyncpg.Connection, owners: Mapping[int, str], subjects: Mapping[int, Subject], found: Readable
) -> dict[str, str]:
    orders = {}
    for row in await connection.fetch("select * from shipments"):
        recipient = shipping.open_recipient(row["recipient"], subjects.get(row["subject_id"]), row["shipment_id"])
        owner = owners[row["subject_id"]]
        orders[row["shipment_id"]] = owner
        state = {column: row[column] for column in ("carrier", "state", "revision", "contact_consent", "placed_at")}
        found[owner][f"shipment {row['shipment_id']}"] = (state, recipient)
    for row in await connection.fetch("select * from disclosures"):
        found[owners[row["subject_id"]]][f"disclosed {row['shipment_id']}.{row['revision']}"] = dict(row)
    return orders
