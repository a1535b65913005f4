"""The mail desk: puts mails into the ledger in the caller's transaction; the sender takes them from there."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

from workers.db import sql
from workers.engine.database import Connection
from workers.vault import sealing
from workers.vault.subjects import Subject

_QUERIES = sql.queries("mails")


class MailDesk:
    """Recipient and template values are sealed under the subject's key."""

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
        content = json.dumps({"to": to, "values": dict(values)}).encode()
        sealed = subject.key.seal(content, sealing.place("mails", "sealed", subject.subject_id, template))
        mail_id: int | None = await connection.fetchval(
            _QUERIES["post"], contact_id, subject.subject_id, template, language, class_, purpose,
            None if dedupe is None else UUID(bytes=dedupe), sealed, now,
        )  # fmt: skip
        return mail_id
