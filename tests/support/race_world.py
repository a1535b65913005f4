"""The world of a race: a prepared Lethe with a store and a mail server, and the people in it."""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import yaml
from typer.testing import CliRunner

from tests.support import issues, lethe, people
from tests.support.consents import PURPOSES
from tests.support.endpoints import Endpoints
from tests.support.erasure import asked, rows
from tests.support.fast_sink import FastSink, fast_sink
from tests.support.races import Done, Racer, Upstream
from workers.cli.app import app
from workers.cli.local import environment
from workers.consent.desk import ConsentDesk
from workers.domain.consent import ConsentChange, Entity, Kind
from workers.issues import book
from workers.mail.desk import MailDesk
from workers.settings import Settings
from workers.vault import keyring as keyrings
from workers.vault.subjects import SubjectVault

RACERS = [Racer(number) for number in range(40)]
ASKING, OTHERS = RACERS[:24], RACERS[24:]
EXPORT = "customers.csv"


class Asked(NamedTuple):
    """A request: whose, and its number where it came with one."""

    racer: Racer
    number: uuid.UUID | None


class World:
    """A prepared Lethe with a store, an upstream, a mail server, and everything that is noted about the race."""

    def __init__(self, settings: Settings, folder: Path, sink: FastSink) -> None:
        self.settings = settings
        self.folder = folder
        self.sink = sink
        self.upstream = Upstream(settings)
        self.asked: list[Asked] = []
        self.ring = keyrings.load(settings.keyring_dir)
        self.vault = SubjectVault(self.ring)
        self._desk = ConsentDesk(self.vault, self.ring, PURPOSES, MailDesk(), settings)

    def hash(self, racer: Racer) -> uuid.UUID:
        return uuid.UUID(bytes=self.vault.reference_hash(racer.reference))

    def subjects(self) -> dict[uuid.UUID, int]:
        return {row["reference_hash"]: row["subject_id"] for row in rows(self.settings, "select * from subjects")}

    def ask(self, racer: Racer, way: str) -> None:
        """By one of four ways."""
        if way == "staff":
            command = ["requests", "new", "--email", racer.email, "--because", "a letter", "--language", "fr"]
            result = CliRunner().invoke(app, command, env=environment.for_child(self.settings, lethe.ROOT))
            assert result.exit_code == 0, result.output
            self.asked.append(Asked(racer, None))
            return
        number, event = asked(
            racer.reference if way != "email" else None, racer.email if way != "reference" else None
        )  # fmt: skip
        self.asked.append(Asked(racer, number))
        self.upstream.ask(event)

    def say(self, racer: Racer, kind: Kind) -> None:
        """On the page: applied at once, with a mail that asks for a confirmation; refused while they are fenced."""
        now = datetime.now(UTC)
        self.upstream.done.append(Done(racer, now, f"page.{kind}"))
        more = {"privacy_notice": "2026-01", "language": "en"} if kind is Kind.GIVEN else {}
        change = ConsentChange(kind, "support", Entity.SUBJECT, "web_form", now, email=racer.email, **more)

        async def apply() -> None:
            async with issues.database(self.settings) as connection, connection.transaction():
                await self._desk.apply(connection, [change], now)

        asyncio.run(apply())

    def issue(self) -> None:
        """To all who subscribe, from this moment on."""

        async def schedule() -> None:
            async with issues.database(self.settings) as connection:
                now = datetime.now(UTC)
                await book.schedule(connection, issues.NAME, people.PURPOSE, issues.CONTENT, now, now)

        asyncio.run(schedule())


@contextmanager
def world(stack: Endpoints, prefix: str, database: str, folder: Path) -> Iterator[World]:
    exports, stores = folder / "exports", folder / "stores"
    for one in (exports, stores):
        one.mkdir()
    files = {"what": "rows", "glob": EXPORT, "format": "csv", "keys": {"email": "email", "customer_ref": "ref"}}
    head = {
        "name": "exports", "title": "Exports", "kind": "folder", "identifiers": ["email", "customer_ref"],
        "respond_within_s": 20, "options": {"path": str(exports), "files": [files]},
    }  # fmt: skip
    (stores / "exports.yaml").write_text(yaml.safe_dump(head))
    (exports / EXPORT).write_text("ref,email\n" + "".join(f"{one.reference},{one.email}\n" for one in RACERS))
    with fast_sink() as sink:
        settings = lethe.prepare(
            stack, prefix, database, folder, stores_dir=stores, orders_in_flight="cancel", erasure_poll_s=0.1,
            smtp_port=sink.port, segment_ms=1000, mails_per_s_per_domain=12, dkim_dir=folder / "none",
            orders_partitions=3,
        )  # fmt: skip
        yield World(settings, folder, sink)
