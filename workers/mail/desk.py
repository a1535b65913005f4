"""The desk: puts mails into the ledger, sealed, in the caller's transaction. The sender does the rest."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import orjson

from workers.db import sql
from workers.engine.database import Connection
from workers.mail import mime
from workers.vault import sealing
from workers.vault.subjects import Subject

_QUERIES = sql.queries("mails")


class Letter(NamedTuple):
    """What a mail of its own says: to whom, and the values of its template."""

    to: str
    values: dict[str, str]
    reply_to: str | None = None


class Post(NamedTuple):
    """One of many mails of a kind; see MailDesk.post for the fields."""

    subject: Subject
    to: str
    language: str
    values: Mapping[str, str]
    contact_id: int | None = None
    dedupe: bytes | None = None
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
        when it is sent. Raises ValueError where `to` or `reply_to` is not one plain address.
        """
        one = Post(subject, to, language, values, contact_id, dedupe, reply_to)
        return (await self.post_many(connection, [one], template=template, now=now, class_=class_, purpose=purpose))[0]

    async def post_many(
        self,
        connection: Connection,
        posts: Sequence[Post],
        *,
        template: str,
        now: datetime,
        class_: str = "statutory",
        purpose: str | None = None,
    ) -> list[int | None]:
        """The same for many at once, in two statements; numbers in the order of `posts`."""
        if not posts:
            return []
        mail_ids = [row["mail_id"] for row in await connection.fetch(_QUERIES["next_ids"], len(posts))]
        numbered = list(zip(mail_ids, posts, strict=True))
        rows = await connection.fetch(
            _QUERIES["post"], mail_ids, [one.contact_id for one in posts], [one.subject.subject_id for one in posts],
            [one.language for one in posts], [one.dedupe.hex() if one.dedupe else None for one in posts],
            [_sealed(mail_id, one) for mail_id, one in numbered], template, class_, purpose, now,
        )  # fmt: skip
        posted = {row["mail_id"] for row in rows}
        return [mail_id if mail_id in posted else None for mail_id in mail_ids]


def open_letter(subject: Subject, mail_id: int, sealed: bytes) -> Letter:
    """What was posted. Raises sealing.Unreadable when the subject's key does not open it."""
    letter = orjson.loads(subject.key.unseal(sealed, _place(subject.subject_id, mail_id)))
    return Letter(letter["to"], letter["values"], letter["reply_to"])


def _sealed(mail_id: int, post: Post) -> bytes:
    for address in (post.to, *((post.reply_to,) if post.reply_to else ())):
        mime.check_address(address)
    letter = {"to": post.to, "values": dict(post.values), "reply_to": post.reply_to}
    return post.subject.key.seal(orjson.dumps(letter), _place(post.subject.subject_id, mail_id))


def _place(subject_id: int, mail_id: int) -> bytes:
    return sealing.place("mails", "sealed", subject_id, str(mail_id))
