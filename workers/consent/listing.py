"""Listing consent records, page by page, with their addresses opened."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final, NamedTuple

from workers.consent.contacts import Contact
from workers.consent.desk import ConsentDesk
from workers.db import sql
from workers.engine.database import Connection

_QUERIES = sql.queries("consents")
_PAGE: Final = 500


class Entry(NamedTuple):
    """One consent record. `contact` is None while its person is being erased."""

    contact_id: int
    purpose: str
    status: str
    privacy_notice: str
    changed_at: datetime
    expires_at: datetime | None
    contact: Contact | None


async def entries(
    connection: Connection, desk: ConsentDesk, purpose: str | None = None, status: str | None = None
) -> AsyncIterator[Entry]:
    """All records, or those of a purpose or status, in the order of contacts; a page at a time is in memory."""
    after: tuple[int, str] = (0, "")
    while rows := await connection.fetch(_QUERIES["page"], *after, purpose, status, _PAGE):
        after = (rows[-1]["contact_id"], rows[-1]["purpose"])
        contacts = await desk.contacts_by_id(connection, {row["contact_id"] for row in rows})
        for row in rows:
            yield Entry(
                row["contact_id"], row["purpose"], row["status"], row["privacy_notice"], row["changed_at"],
                row["expires_at"], contacts.get(row["contact_id"]),
            )  # fmt: skip
