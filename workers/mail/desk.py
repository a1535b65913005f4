"""The desk: puts mails into the ledger, sealed, in the caller's transaction. The sender does the rest."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import orjson

from workers.db import sql
from workers.engine.database import Connection
from workers.vault import sealing
from workers.vault.subjects import Subject

_QUERIES = sql.queries("mails")


class Letter(NamedTuple):
    """What a mail of its own says: to whom, and the values of its template."""

    to: str
    values: dict[str, str]
    reply_to: str | None = None


class MailDesk:
    """Posts mails of one kind each; a `dedupe` key makes a second post of the same mail no mail."""

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
        class_: str = "statutory",
        purpose: str | None = None,
        contact_id: int | None = None,
        dedupe: bytes | None = None,
        reply_to: str | None = None,
    ) -> int | None:
        """The mail's number; None where one with this `dedupe` key (16 bytes) was posted before.

        `to` is a normalised address. Marketing needs the contact and the purpose whose consent is looked at again
        when it is sent.
        """
        mail_id = await connection.fetchval(_QUERIES["next_id"])
        letter = {"to": to, "values": dict(values), "reply_to": reply_to}
        sealed = subject.key.seal(orjson.dumps(letter), _place(subject.subject_id, mail_id))
        posted: int | None = await connection.fetchval(
            _QUERIES["post"], mail_id, contact_id, subject.subject_id, template, language, class_, purpose,
            dedupe, sealed, now,
        )  # fmt: skip
        return posted


def open_letter(subject: Subject, mail_id: int, sealed: bytes) -> Letter:
    """What was posted. Raises sealing.Unreadable when the subject's key does not open it."""
    letter = orjson.loads(subject.key.unseal(sealed, _place(subject.subject_id, mail_id)))
    return Letter(letter["to"], letter["values"], letter["reply_to"])


def _place(subject_id: int, mail_id: int) -> bytes:
    return sealing.place("mails", "sealed", subject_id, str(mail_id))
