"""The pages for people as a visitor meets them: a real worker `web`, a real PostgreSQL, the mails in the ledger."""

import http.client
import itertools
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import asyncpg

from deploy.local import ports
from tests.support.endpoints import Endpoints
from tests.support.lethe import ROOT, in_a_loop
from tests.support.worker_process import WorkerProcess, worker_process
from workers.cli import migrate
from workers.mail import desk
from workers.settings import Settings
from workers.vault import keyring
from workers.vault.subjects import SubjectVault

FORM = "application/x-www-form-urlencoded"
_numbers = itertools.count(1)


class Answer(NamedTuple):
    """What the server said. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    text: str


class Letter(NamedTuple):
    """A mail in the ledger, opened."""

    template: str
    language: str
    values: Mapping[str, str]

    @property
    def path(self) -> str:
        """The path of its link."""
        return "/" + self.values["url"].split("/", 3)[3]


class Website:
    """Every visitor comes from an address of its own, through one proxy that the settings trust."""

    def __init__(self, settings: Settings, worker: WorkerProcess) -> None:
        self.settings = settings
        self.worker = worker
        self.ring = keyring.load(settings.keyring_dir)

    def get(self, path: str, **headers: str) -> Answer:
        """Open a page."""
        return self.send("GET", path, None, headers)

    def post(self, path: str, fields: Mapping[str, str] | None = None, **headers: str) -> Answer:
        """Send a form."""
        return self.send("POST", path, urlencode(fields or {}).encode(), {"Content-Type": FORM, **headers})

    def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """One request; underscores in header names stand for hyphens."""
        named = {"X-Forwarded-For": fresh_source()} | {name.replace("_", "-"): one for name, one in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.settings.public_port, timeout=20)
        try:
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read().decode())
        finally:
            connection.close()

    def sign_up(self, email: str, *purposes: str, language: str = "en", **headers: str) -> Answer:
        """The form of `/subscribe`."""
        boxes = {f"purpose.{purpose}": "yes" for purpose in purposes or ("newsletter",)}
        return self.post(f"/{language}/subscribe", {"email": email, **boxes}, **headers)

    def subscribe(self, email: str, *purposes: str) -> int:
        """Sign up and confirm every mail; the contact's number."""
        self.sign_up(email, *purposes)
        for letter in self.letters(email, "confirm_subscription"):
            assert self.post(letter.path).status == 200
        return self.contact_id(email)

    def letters(self, email: str, template: str | None = None) -> list[Letter]:
        """The mails to an address, the oldest first."""
        return [
            letter for to, letter in in_a_loop(self._letters()) if to == email and template in (None, letter.template)
        ]

    def statuses(self, email: str) -> dict[str, str]:
        """Purpose and status of the address's consents."""
        rows = self.rows(
            "select purpose, status from consents join contacts using (contact_id) where email_hash = $1",
            self._hash("email", email),
        )
        return {row["purpose"]: row["status"] for row in rows}

    def contact_id(self, email: str) -> int:
        """The number of an address that is known."""
        (row,) = self.rows("select contact_id from contacts where email_hash = $1", self._hash("email", email))
        number: int = row["contact_id"]
        return number

    def suppressions(self, email: str) -> dict[str, str]:
        """Purpose and reason."""
        rows = self.rows(
            "select purpose, reason from suppressions where suppression_hash = $1", self._hash("suppression", email)
        )
        return {row["purpose"]: row["reason"] for row in rows}

    def everything(self) -> list[tuple[Any, ...]]:
        """What the database holds about people: nothing of it may change by looking at a page."""
        tables = (
            "contacts", "consents", "consent_events", "suppressions", "tokens", "mails", "floods", "requests",
            "request_events", "request_tokens",
        )  # fmt: skip
        return [(table, *row.values()) for table in tables for row in self.rows(f"select * from {table} order by 1")]

    def rows(self, query: str, *arguments: Any) -> Sequence[asyncpg.Record]:
        """Rows of the database."""
        return in_a_loop(self._rows(query, arguments))

    async def _rows(self, query: str, arguments: Sequence[Any]) -> Sequence[asyncpg.Record]:
        connection = await asyncpg.connect(self.settings.database_dsn.get_secret_value())
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    async def _letters(self) -> list[tuple[str, Letter]]:
        connection = await asyncpg.connect(self.settings.database_dsn.get_secret_value())
        try:
            rows = await connection.fetch("select * from mails order by mail_id")
            subjects = await SubjectVault(self.ring).hold_by_id(connection, {row["subject_id"] for row in rows})
            opened = [
                (row, desk.open_letter(subjects[row["subject_id"]], row["mail_id"], row["sealed"])) for row in rows
            ]
            return [(one.to, Letter(row["template"], row["language"], one.values)) for row, one in opened]
        finally:
            await connection.close()

    def _hash(self, purpose: str, email: str) -> uuid.UUID:
        return uuid.UUID(bytes=self.ring.lookup_hash(purpose, email.encode()))


def fresh_source() -> str:
    """An address that nobody else in the tests comes from."""
    number = next(_numbers)
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


@contextmanager
def website(stack: Endpoints, folder: Path, **chosen: object) -> Iterator[Website]:
    """A fresh database and a worker `web` on it."""
    name = f"t{uuid.uuid4().hex[:10]}"
    settings = Settings.model_validate(
        {
            "database_dsn": stack.create_database(name), "kafka_bootstrap": stack.bootstrap,
            "keyring_dir": folder / "keyring", "carriers_dir": ROOT / "deploy/carriers",
            "purposes_file": ROOT / "deploy/purposes.yaml", "policies_dir": ROOT / "deploy/policies",
            "public_port": ports.choose(1)[0], "trusted_proxies": 1, **chosen,
        }
    )  # fmt: skip
    try:
        in_a_loop(migrate.prepare(settings, lambda line: None))
        with worker_process(settings, ("web",)) as worker:
            yield Website(settings, worker)
    finally:
        stack.drop_database(name)
