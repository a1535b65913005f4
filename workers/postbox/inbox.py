"""The inbox: mails as they came, each sealed under a key of its own; from there they are sorted, listed, shown."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson

from workers.db import sql
from workers.engine.database import Connection
from workers.vault import epochs, sealing
from workers.vault.keyring import Keyring

_QUERIES = sql.queries("inbox")
_LENGTH_BYTES = 4
STATES = ("received", "sorted", "for_person", "done")


class Delivered(NamedTuple):
    """A mail as the mail server handed it over. `sender` is empty for reports (RFC 5321, 4.5.5)."""

    sender: str
    recipient: str
    content: bytes


class Sealed(NamedTuple):
    """A mail as the table holds it."""

    fingerprint: UUID
    wrapped_key: bytes
    key_epoch: int
    sealed: bytes


class Claimed(NamedTuple):
    """A mail of the inbox that is to be sorted; `attempts` counts this one too."""

    inbox_mail_id: int
    attempts: int
    sealed: Sealed


class Listed(NamedTuple):
    """What may be shown of a mail without opening it."""

    inbox_mail_id: int
    state: str
    flow: str | None
    outcome: str | None
    mail_id: int | None
    size_bytes: int
    is_kept: bool
    received_at: datetime
    changed_at: datetime


class Verdict(NamedTuple):
    """What became of a mail. `mail_id`: the one of ours that it is about."""

    state: str
    flow: str
    outcome: str
    mail_id: int | None = None
    sender_hash: bytes | None = None


class Inbox:
    """The mails of one shop."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def store(self, connection: Connection, mails: Sequence[Delivered], now: datetime) -> None:
        """Keep mails, sealed. One that was delivered before, word for word, is kept once.

        In the caller's transaction, which should end soon after.
        """
        epoch = await epochs.hold(connection, self._keyring)
        for mail in mails:
            fingerprint = UUID(bytes=self._keyring.lookup_hash("event", b"inbox\0" + _packed(mail)))
            wrapped, key = sealing.new_wrapped_key(self._keyring.kek(epoch), _owner(fingerprint, epoch))
            sealed = key.seal(_packed(mail), _place(fingerprint))
            await connection.execute(
                _QUERIES["store"], fingerprint, len(mail.content), wrapped, epoch, sealed, now, timeout=120
            )

    async def claim(self, connection: Connection) -> Claimed | None:
        """The next mail to sort; None when there is none. Counts the attempt, whatever becomes of it."""
        row = await connection.fetchrow(_QUERIES["claim"])
        if row is None:
            return None
        owner = Sealed(row["fingerprint"], row["wrapped_key"], row["key_epoch"], row["sealed"])
        return Claimed(row["inbox_mail_id"], row["attempts"], owner)

    def unseal(self, sealed: Sealed) -> Delivered:
        """The mail as it came. Raises KeyMissing or sealing.Unreadable when it cannot be opened."""
        owner = _owner(sealed.fingerprint, sealed.key_epoch)
        key = sealing.unwrap_key(self._keyring.kek(sealed.key_epoch), sealed.wrapped_key, owner)
        return _unpacked(key.unseal(sealed.sealed, _place(sealed.fingerprint)))

    async def hold(self, connection: Connection, inbox_mail_id: int) -> bool:
        """Hold a mail until the transaction ends; False where another sorter has it, or has sorted it."""
        return await connection.fetchval(_QUERIES["hold"], inbox_mail_id) is not None

    async def finish(self, connection: Connection, inbox_mail_id: int, verdict: Verdict, now: datetime) -> None:
        """Write down what became of it."""
        hashed = verdict.sender_hash and UUID(bytes=verdict.sender_hash)
        await connection.execute(
            _QUERIES["finish"],
            inbox_mail_id,
            verdict.state,
            verdict.flow,
            verdict.outcome,
            verdict.mail_id,
            hashed,
            now,
        )

    async def open(self, connection: Connection, inbox_mail_id: int) -> Delivered | None:
        """The mail as it came; None where there is none, or it was let go."""
        row = await connection.fetchrow(_QUERIES["open"], inbox_mail_id)
        return None if row is None or row["sealed"] is None else self.unseal(Sealed(*row))


async def listed(connection: Connection, state: str | None, flow: str | None, limit: int) -> list[Listed]:
    """Mails in a state and flow (None: any), the newest first."""
    return [Listed(*row) for row in await connection.fetch(_QUERIES["list"], state, flow, limit)]


async def find(connection: Connection, inbox_mail_id: int) -> Listed | None:
    """One mail, unopened."""
    row = await connection.fetchrow(_QUERIES["find"], inbox_mail_id)
    return None if row is None else Listed(*row)


async def done(connection: Connection, inbox_mail_ids: Sequence[int], now: datetime) -> set[int]:
    """A person has dealt with them; returns those that waited for one."""
    rows = await connection.fetch(_QUERIES["done"], list(inbox_mail_ids), now)
    return {row["inbox_mail_id"] for row in rows}


async def sort_again(connection: Connection, inbox_mail_ids: Sequence[int], now: datetime) -> set[int]:
    """Have mails that wait for a person sorted once more; returns those that will be."""
    rows = await connection.fetch(_QUERIES["sort_again"], list(inbox_mail_ids), now)
    return {row["inbox_mail_id"] for row in rows}


def _packed(mail: Delivered) -> bytes:
    head = orjson.dumps([_encoded(mail.sender), _encoded(mail.recipient)])
    return len(head).to_bytes(_LENGTH_BYTES, "big") + head + mail.content


def _unpacked(packed: bytes) -> Delivered:
    end = _LENGTH_BYTES + int.from_bytes(packed[:_LENGTH_BYTES], "big")
    sender, recipient = orjson.loads(packed[_LENGTH_BYTES:end])
    return Delivered(_decoded(sender), _decoded(recipient), packed[end:])


def _encoded(address: str) -> str:
    """Whatever bytes a client sent as an address, JSON takes only Unicode."""
    return base64.b64encode(address.encode("utf-8", "surrogateescape")).decode()


def _decoded(address: str) -> str:
    return base64.b64decode(address).decode("utf-8", "surrogateescape")


def _owner(fingerprint: UUID, epoch: int) -> bytes:
    return sealing.place("inbox_mails", "wrapped_key", str(fingerprint), str(epoch))


def _place(fingerprint: UUID) -> bytes:
    return sealing.place("inbox_mails", "sealed", "-", str(fingerprint))
