"""The worker `postbox` as the shop's mail server meets it: a real process, real LMTP, a real PostgreSQL."""

import smtplib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from deploy.local import ports
from tests.support.consents import PURPOSES
from tests.support.endpoints import Endpoints
from tests.support.lethe import ROOT, in_a_loop
from tests.support.mail_samples import sample
from tests.support.waiting import wait_until
from tests.support.worker_process import WorkerProcess, worker_process
from workers.cli import migrate
from workers.consent.desk import ConsentDesk
from workers.domain.consent import ConsentChange, Entity, Kind
from workers.mail import desk, links
from workers.mail.desk import MailDesk
from workers.settings import Settings
from workers.vault import keyring
from workers.vault.subjects import SubjectVault


class Postbox:
    """One shop's mailboxes, and what stands in the database."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ring = keyring.load(settings.keyring_dir)
        self.vault = SubjectVault(self.ring)
        self.mail_desk = MailDesk()
        self.consent = ConsentDesk(self.vault, self.ring, PURPOSES, self.mail_desk, settings)

    def connect(self) -> smtplib.LMTP:
        """A session, greeted."""
        session = smtplib.LMTP("127.0.0.1", self.settings.postbox_port)
        session.ehlo()
        return session

    def deliver(
        self, content: bytes, recipient: str | Sequence[str] = "privacy@shop.example", sender: str = "ada@example.com"
    ) -> None:
        """Hand a mail over, as the shop's mail server does. Raises smtplib.SMTPException where it is not taken."""
        with self.connect() as session:
            refused = session.sendmail(sender, recipient, content, mail_options=["SMTPUTF8"])
            assert not refused

    def sorted_mail(self, content: bytes, recipient: str = "privacy@shop.example", sender: str = "ada@example.com",
                    timeout_s: float = 30) -> asyncpg.Record:  # fmt: skip
        """Deliver a mail, and wait until it is sorted."""
        before = self.rows("select coalesce(max(inbox_mail_id), 0) as n from inbox_mails")[0]["n"]
        self.deliver(content, recipient, sender)
        return self.wait_sorted(before + 1, timeout_s)

    def wait_sorted(self, first: int = 1, timeout_s: float = 30) -> asyncpg.Record:
        """The first mail from this number on, once it and all others are sorted."""

        def is_sorted() -> bool:
            return not self.rows("select from inbox_mails where state = 'received'")

        wait_until(is_sorted, timeout_s, lambda: str(self.rows("select state, flow, outcome from inbox_mails")))
        return self.rows("select * from inbox_mails where inbox_mail_id >= $1 order by 1", first)[0]

    def subscribe(self, email: str, *purposes: str) -> int:
        """A contact who agreed; its number."""
        now = datetime.now(UTC)
        changes = [
            ConsentChange(
                Kind.GIVEN, purpose, Entity.UPSTREAM, "web_form", now, email=email, language="en",
                privacy_notice="2026-01", double_opt_in=True,
            )
            for purpose in purposes or ("newsletter",)
        ]  # fmt: skip

        async def apply(connection: asyncpg.Connection) -> int:
            outcome = (await self.consent.apply(connection, changes, now))[0]
            assert outcome.contact_id is not None
            return outcome.contact_id

        return in_a_loop(self._with(apply))

    def post(self, email: str, template: str = "preferences_link", purpose: str | None = None) -> int:
        """A mail to a contact that was sent; its number."""

        async def post(connection: asyncpg.Connection) -> int:
            contact = await self.consent.contact_by_email(connection, email)
            assert contact is not None
            mail_id = await self.mail_desk.post(
                connection, contact.subject, to=email, template=template, language="en",
                values={"url": "https://shop.example/x", "hours": "24"}, now=datetime.now(UTC), purpose=purpose,
                contact_id=contact.contact_id, class_="marketing" if purpose else "statutory",
            )  # fmt: skip
            assert mail_id is not None
            await connection.execute("update mails set state = 'sent', sent_at = now() where mail_id = $1", mail_id)
            return mail_id

        return in_a_loop(self._with(post))

    def return_path(self, mail_id: int) -> str:
        """The envelope sender that this mail had."""
        return links.tagged(self.settings.bounce_address, links.bounce_token(self.ring, mail_id))

    def message_id(self, mail_id: int) -> str:
        """Its Message-ID."""
        return links.message_id(self.ring, mail_id, self.settings.dkim_domain)

    def unsubscribe_address(self, contact_id: int, purpose: str = "newsletter") -> str:
        """Its mailto alternative."""
        return links.tagged(self.settings.unsubscribe_address, links.unsubscribe_tag(self.ring, contact_id, purpose))

    def statuses(self, email: str) -> dict[str, str]:
        """Purpose and status of the address's consents."""
        rows = self.rows(
            "select purpose, status from consents join contacts using (contact_id) where email_hash = $1",
            uuid.UUID(bytes=self.ring.lookup_hash("email", email.encode())),
        )
        return {row["purpose"]: row["status"] for row in rows}

    def suppressions(self, email: str) -> dict[str, str]:
        """Purpose and reason."""
        rows = self.rows(
            "select purpose, reason from suppressions where suppression_hash = $1",
            uuid.UUID(bytes=self.ring.lookup_hash("suppression", email.encode())),
        )
        return {row["purpose"]: row["reason"] for row in rows}

    def letters(self, template: str) -> list[tuple[str, Mapping[str, str], str | None]]:
        """To whom, values and Reply-To of the mails of a kind that were posted, the oldest first."""

        async def read(connection: asyncpg.Connection) -> list[tuple[str, Mapping[str, str], str | None]]:
            rows = await connection.fetch("select * from mails where template = $1 order by mail_id", template)
            subjects = await self.vault.hold_by_id(connection, {row["subject_id"] for row in rows})
            opened = [desk.open_letter(subjects[row["subject_id"]], row["mail_id"], row["sealed"]) for row in rows]
            return [(one.to, one.values, one.reply_to) for one in opened]

        return in_a_loop(self._with(read))

    def rows(self, query: str, *arguments: Any) -> Sequence[asyncpg.Record]:
        """Rows of the database."""

        async def read(connection: asyncpg.Connection) -> Sequence[asyncpg.Record]:
            found: Sequence[asyncpg.Record] = await connection.fetch(query, *arguments)
            return found

        return in_a_loop(self._with(read))

    async def _with(self, work: Any) -> Any:
        connection = await asyncpg.connect(self.settings.database_dsn.get_secret_value())
        try:
            async with connection.transaction():
                return await work(connection)
        finally:
            await connection.close()


def question(number: int | str, author: str = "ada@example.com", **more: str) -> bytes:
    """A person's mail; numbers make different ones."""
    from tests.support import mail_samples

    return sample(mail_samples.QUESTION, number=str(number), author=author, **more)


@contextmanager
def prepared(stack: Endpoints, folder: Path, **chosen: object) -> Iterator[Postbox]:
    """A fresh database; no worker yet."""
    name = f"t{uuid.uuid4().hex[:10]}"
    settings = Settings.model_validate(
        {
            "database_dsn": stack.create_database(name), "kafka_bootstrap": stack.bootstrap,
            "keyring_dir": folder / "keyring", "carriers_dir": ROOT / "deploy/carriers",
            "purposes_file": ROOT / "deploy/purposes.yaml", "policies_dir": ROOT / "deploy/policies",
            "postbox_port": ports.choose(1)[0], "staff_address": "staff@office.example",
            "public_url": "https://shop.example", **chosen,
        }
    )  # fmt: skip
    try:
        in_a_loop(migrate.prepare(settings, lambda line: None))
        yield Postbox(settings)
    finally:
        stack.drop_database(name)


@contextmanager
def postbox(stack: Endpoints, folder: Path, **chosen: object) -> Iterator[tuple[Postbox, WorkerProcess]]:
    """A fresh database and a worker `postbox` on it."""
    with prepared(stack, folder, **chosen) as box, worker_process(box.settings, ("postbox",)) as worker:
        yield box, worker
