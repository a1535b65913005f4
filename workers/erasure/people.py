"""Who is meant by a request: the subjects that its identities lead to, and what else is known of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from workers import shipping
from workers.db import sql
from workers.engine.database import Connection
from workers.erasure import identities
from workers.erasure.identities import Identities
from workers.vault.keyring import Keyring
from workers.vault.subjects import Subject, SubjectVault

_QUERIES = sql.queries("erasure")


class People:
    """Looks people up; opens nothing but what it is given the keys to."""

    def __init__(self, vault: SubjectVault, keyring: Keyring) -> None:
        self._vault = vault
        self._keyring = keyring

    async def subjects_of(
        self, connection: Connection, known_by: Mapping[UUID, Identities]
    ) -> dict[UUID, set[int]]:  # fmt: skip
        """The subjects of each request; none where nobody is known by that."""
        references = {one: identities.reference_hashes(known, self._vault) for one, known in known_by.items()}
        emails = {one: identities.email_hashes(known, self._keyring) for one, known in known_by.items()}
        rows = await connection.fetch(_QUERIES["subjects_of"], _uuids(references), _uuids(emails))
        subjects = defaultdict(set)
        for row in rows:
            subjects[row["identity_hash"].bytes].add(row["subject_id"])
        return {
            one: {number for hash_ in (*references[one], *emails[one]) for number in subjects.get(hash_, ())}
            for one in known_by
        }


def addresses_of(rows: Sequence[asyncpg.Record], subjects: Mapping[int, Subject]) -> dict[int, list[str]]:
    """The e-mail addresses in these shipments, by subject; those whose key is not given are left out."""
    found = defaultdict(list)
    for row in rows:
        recipient = shipping.open_recipient(row["recipient"], subjects.get(row["subject_id"]), row["shipment_id"])
        if recipient is not None and recipient.email:
            found[row["subject_id"]].append(recipient.email)
    return found


def _uuids(hashes: Mapping[UUID, Sequence[bytes]]) -> list[UUID]:
    return sorted({UUID(bytes=hash_) for found in hashes.values() for hash_ in found})
