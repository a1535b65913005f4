"""People, dead letters and mails with data keys of their own, and whether they can still be read."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from tests.support.orders import NOW
from workers.engine import parking
from workers.postbox.inbox import Delivered, Inbox
from workers.vault import sealing
from workers.vault.keyring import Keyring
from workers.vault.subjects import SubjectVault

PLACE = sealing.place("shipments", "recipient", "-", "-")
MAIL = Delivered("anna@example.org", "privacy@shop.example", b"Subject: hello\r\n\r\nsealed")


async def put(pool: asyncpg.Pool, ring: Keyring, names: Sequence[str]) -> dict[str, bytes]:
    """A subject per name, and what is sealed under its key."""
    vault = SubjectVault(ring)
    async with pool.acquire() as connection, connection.transaction():
        held = await vault.hold(connection, [vault.reference_hash(name) for name in names])
    return {name: held[vault.reference_hash(name)].key.seal(name.encode(), PLACE) for name in names}


async def read(pool: asyncpg.Pool, ring: Keyring, sealed: dict[str, bytes]) -> None:
    """Raises Unreadable, KeyMissing or AssertionError unless everything opens, under the keys as they are stored."""
    vault = SubjectVault(ring)
    async with pool.acquire() as connection, connection.transaction():
        held = await vault.hold(connection, [vault.reference_hash(name) for name in sealed])
        for name, value in sealed.items():
            assert held[vault.reference_hash(name)].key.unseal(value, PLACE) == name.encode()


async def put_mail(pool: asyncpg.Pool, ring: Keyring) -> None:
    """A mail in the inbox."""
    async with pool.acquire() as connection, connection.transaction():
        await Inbox(ring).store(connection, [MAIL], NOW)


async def read_mail(pool: asyncpg.Pool, ring: Keyring) -> Delivered | None:
    """The first mail of the inbox."""
    async with pool.acquire() as connection:
        return await Inbox(ring).open(
            connection, await connection.fetchval("select min(inbox_mail_id) from inbox_mails")
        )


async def read_letters(pool: asyncpg.Pool, ring: Keyring) -> int:
    """Opens every dead letter; returns how many there are."""
    rows = await pool.fetch(
        "select dead_letter_id, wrapped_key, key_epoch, sealed from dead_letters where sealed is not null"
    )
    for letter_id, wrapped, epoch, sealed in rows:
        parking.open_letter(ring, UUID(str(letter_id)), wrapped, epoch, sealed)
    return len(rows)
