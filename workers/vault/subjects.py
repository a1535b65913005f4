"""Subjects: who a record is about, held for the length of a batch, with the data key to seal under."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import asyncpg

from workers.db import sql
from workers.vault import sealing
from workers.vault.keyring import Keyring

_QUERIES = sql.queries("subjects")

Connection = asyncpg.pool.PoolConnectionProxy | asyncpg.Connection


class Subject(NamedTuple):
    """A person, known by a number that means nothing outside the database."""

    subject_id: int
    key: sealing.DataKey
    fenced: bool


class SubjectVault:
    """Finds and creates subjects, and opens their data keys."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def reference_hash(self, reference: str) -> bytes:
        """The keyed hash under which a customer reference is looked up: 32 bytes."""
        return self._keyring.lookup_hash("subject-reference", reference.encode())

    async def hold(self, connection: Connection, hashes: Collection[bytes]) -> Mapping[bytes, Subject]:
        """The subjects of these reference hashes, created where new, locked against a fence until the commit."""
        wanted = list(set(hashes))
        found = {
            row["reference_hash"]: self._open(row) for row in await connection.fetch(_QUERIES["hold"], wanted)
        }
        missing = sorted(hash_ for hash_ in wanted if hash_ not in found)
        if missing:
            found.update(await self._create(connection, missing))
        return found

    async def hold_by_id(self, connection: Connection, subject_ids: Collection[int]) -> Mapping[int, Subject]:
        """The subjects that are not fenced, locked against a fence until the commit. Others are left out."""
        rows = await connection.fetch(_QUERIES["hold_by_id"], list(set(subject_ids)))
        return {row["subject_id"]: self._open(row) for row in rows}

    async def _create(self, connection: Connection, hashes: list[bytes]) -> dict[bytes, Subject]:
        """Create subjects in hash order, so that two batches never wait for each other in a circle."""
        epoch = self._keyring.current_epoch
        kek = self._keyring.kek(epoch)
        fresh = {hash_: sealing.new_wrapped_key(kek, _owner(hash_, epoch)) for hash_ in hashes}
        rows = await connection.fetch(
            _QUERIES["create"], hashes, [wrapped for wrapped, _ in fresh.values()], epoch
        )
        created = {
            row["reference_hash"]: Subject(row["subject_id"], fresh[row["reference_hash"]][1], False)
            for row in rows
        }
        raced = [hash_ for hash_ in hashes if hash_ not in created]
        if raced:
            created.update(
                {
                    row["reference_hash"]: self._open(row)
                    for row in await connection.fetch(_QUERIES["hold"], raced)
                }
            )
        return created

    def _open(self, row: asyncpg.Record) -> Subject:
        epoch: int = row["key_epoch"]
        key = sealing.unwrap_key(
            self._keyring.kek(epoch), row["wrapped_key"], _owner(row["reference_hash"], epoch)
        )
        return Subject(row["subject_id"], key, bool(row.get("fenced", False)))


def _owner(reference_hash: bytes, epoch: int) -> bytes:
    return sealing.place("subjects", "wrapped_key", reference_hash.hex(), str(epoch))
