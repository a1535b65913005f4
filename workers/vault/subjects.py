"""Subjects: who a record is about, held for the length of a batch, with the data key to seal under."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from workers.db import literals, sql
from workers.vault import epochs, sealing
from workers.vault.epochs import Connection
from workers.vault.keyring import Keyring

_QUERIES = sql.queries("subjects")


class Subject(NamedTuple):
    """A person, known by a number that means nothing outside the database."""

    subject_id: int
    key: sealing.DataKey
    fenced: bool
    not_before: datetime | None = None
    """What happened until then is an erased person's: it is not taken in any more."""
    is_new: bool = False
    """Made in this very transaction."""


class SubjectVault:
    """Finds and creates subjects, and opens their data keys."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def reference_hash(self, reference: str) -> bytes:
        """The keyed hash under which a customer reference is looked up: 16 bytes."""
        return self._keyring.lookup_hash("subject-reference", reference.encode())

    async def hold(self, connection: Connection, hashes: Collection[bytes]) -> Mapping[bytes, Subject]:
        """The subjects of these reference hashes, created where new, locked against a fence until the commit."""
        wanted = list(set(hashes))
        found = await self._find(connection, wanted)
        missing = sorted(hash_ for hash_ in wanted if hash_ not in found)
        while missing:
            found.update(await self._create(connection, missing))
            found.update(await self._find(connection, [hash_ for hash_ in missing if hash_ not in found]))
            missing = [hash_ for hash_ in missing if hash_ not in found]
            if missing:  # nothing was created: the key epoch has just changed
                await epochs.follow(connection, self._keyring)
        return found

    async def hold_by_id(self, connection: Connection, subject_ids: Collection[int]) -> Mapping[int, Subject]:
        """The subjects that are not fenced, locked against a fence until the commit. Others are left out."""
        rows = await connection.fetch(_QUERIES["hold_by_id"], literals.array(map(str, set(subject_ids))))
        return {
            subject_id: Subject(subject_id, self._open(reference_hash.hex, wrapped_key, epoch), False)
            for subject_id, reference_hash, wrapped_key, epoch in rows
        }

    async def forget(self, connection: Connection, subject_ids: Collection[int]) -> None:
        """Delete subjects that nothing was kept of."""
        if subject_ids:
            await connection.execute(_QUERIES["forget"], literals.array(map(str, subject_ids)))

    async def erased(self, connection: Connection, hashes: Collection[bytes]) -> Mapping[bytes, datetime]:
        """Those of these reference hashes that were erased or are fenced, and since when; it stays true until the
        commit. Nothing is created."""
        wanted = list(hashes)
        await self._find(connection, wanted)  # a fence that is about to commit is waited for, or waits
        rows = await connection.fetch(_QUERIES["erased"], literals.array(hash_.hex() for hash_ in wanted))
        return {wanted[place - 1]: erased_at for place, erased_at in rows}

    async def _find(self, connection: Connection, hashes: list[bytes]) -> dict[bytes, Subject]:
        if not hashes:
            return {}
        named = [hash_.hex() for hash_ in hashes]
        return {
            hashes[place - 1]: Subject(subject_id, self._open(named[place - 1], wrapped_key, epoch), fenced, not_before)
            for place, subject_id, wrapped_key, epoch, fenced, not_before in await connection.fetch(
                _QUERIES["hold"], literals.array(named)
            )
        }

    async def _create(self, connection: Connection, hashes: list[bytes]) -> dict[bytes, Subject]:
        """Create subjects in hash order, so that two batches never wait for each other in a circle.

        Those that another transaction creates at the same moment are left out; all are when a rotation has switched
        to another key epoch, which the query itself finds out, at no round trip of its own.
        """
        epoch = self._keyring.current_epoch
        kek = self._keyring.kek(epoch)
        named = [hash_.hex() for hash_ in hashes]
        fresh = [sealing.new_wrapped_key(kek, owner(name, epoch)) for name in named]
        wrapped_keys = [wrapped_key for wrapped_key, _ in fresh]
        rows = await connection.fetch(_QUERIES["create"], literals.array(named), wrapped_keys, epoch)
        return {
            hashes[place - 1]: Subject(subject_id, fresh[place - 1][1], False, not_before, is_new=True)
            for place, subject_id, not_before in rows
        }

    def _open(self, reference_hash: str, wrapped_key: bytes, epoch: int) -> sealing.DataKey:
        return sealing.unwrap_key(self._keyring.kek(epoch), wrapped_key, owner(reference_hash, epoch))


def owner(reference_hash: str, epoch: int) -> bytes:
    """What a subject's wrapped key is bound to; the hash in hex."""
    return sealing.place("subjects", "wrapped_key", reference_hash, str(epoch))
