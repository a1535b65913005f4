"""What consent asks of the mail engine, and the mails that it has written."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Protocol

from workers.engine.database import Connection
from workers.vault.subjects import Subject


class MailDesk(Protocol):
    """Puts mails into the ledger in the caller's transaction."""

    async def post(
        self,
        connection: Connection,
        subject: Subject,
        *,
        to: str,
        template: str,
        language: str,
        values: Mapping[str, str],
        now: datetime,
        class_: Literal["statutory", "marketing"] = "statutory",
        purpose: str | None = None,
        contact_id: int | None = None,
        dedupe: bytes | None = None,
    ) -> int | None:
        """The mail's number; None when `dedupe` was there already."""
