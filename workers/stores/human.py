"""A store that only a person can work on: they are asked by mail, and answer on the page behind its link.

The mail names nobody. The page shows whom it is about to whoever has the link, which works until it is answered or its
time is over; looking at it changes nothing.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Literal, NamedTuple
from uuid import UUID

from pydantic import AfterValidator

from schemas.store import StoreResult
from workers.domain.email_address import normalise
from workers.engine.database import Connection
from workers.errors import Refused
from workers.mail.desk import MailDesk
from workers.settings import Settings
from workers.stores import execution
from workers.stores import options as reading
from workers.stores.connector import Left, NeedsPerson, Person
from workers.stores.connectors import Surroundings
from workers.stores.directory import Store
from workers.stores.jobs import Job, Jobs
from workers.stores.options import Options
from workers.vault.keyring import Keyring
from workers.vault.subjects import SubjectVault

_TOKEN_BYTES = 24
_TOKEN_MAX_CHARACTERS = 64


def _address(text: str) -> str:
    try:
        return normalise(text)
    except Refused:
        raise ValueError("is no e-mail address") from None


class HumanOptions(Options):
    """The `options` of a store that a person works on."""

    to: Annotated[str, AfterValidator(_address)]
    language: Literal["en", "fr"] = "en"


class Asked(NamedTuple):
    """What stands behind a link: the task, and whom it is about. Who cannot be opened is answered with the others."""

    store: Store
    job: Job
    people: list[Person]
    unopened: list[StoreResult]


def connect(store: Store, _surroundings: Surroundings) -> "HumanStore":
    """The connector of this store. Raises Misconfigured."""
    return HumanStore(reading.parse(HumanOptions, store.options))


class HumanStore:
    """Implements `connector.Connector`: whatever is asked for, a person must do it."""

    def __init__(self, options: HumanOptions) -> None:
        self._options = options

    async def check(self) -> list[str]:
        """Nothing is sent."""
        return ["a person is asked by mail and answers on the page behind its link"]

    async def find(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        """Raises NeedsPerson."""
        raise NeedsPerson(self._options.to, self._options.language)

    async def erase(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        """Raises NeedsPerson."""
        raise NeedsPerson(self._options.to, self._options.language)

    async def close(self) -> None:
        """Nothing is held open."""


class PersonDesk:
    """Asks people by mail (worker `stores`), and takes what they answer (worker `web`)."""

    def __init__(
        self, stores: Mapping[str, Store], jobs: Jobs, keyring: Keyring, vault: SubjectVault, mail: MailDesk,
        settings: Settings,
    ) -> None:  # fmt: skip
        self._stores = stores
        self._jobs = jobs
        self._keyring = keyring
        self._vault = vault
        self._mail = mail
        self._settings = settings

    async def ask(self, connection: Connection, job: Job, needs: NeedsPerson, now: datetime) -> None:
        """Post the mail and leave the job to the person, in the caller's transaction."""
        token, store = secrets.token_urlsafe(_TOKEN_BYTES), self._stores[job.task.store]
        if not await self._jobs.ask(connection, job, self._hash(token), now):
            return
        hash_ = self._keyring.lookup_hash("subject-reference", store.name.encode())
        subject = (await self._vault.hold(connection, [hash_]))[hash_]
        values = {
            "store": store.title, "count": str(len(job.task.subjects)), "date": job.task.respond_by.date().isoformat(),
            "url": f"{self._settings.public_url}/stores/{token}",
        }  # fmt: skip
        template = "store_erase" if job.task.action == "erase" else "store_look"
        await self._mail.post(
            connection, subject, to=needs.to, template=template, language=needs.language, values=values, now=now
        )

    async def look(self, connection: Connection, token: str, now: datetime) -> Asked | None:
        """What a link is about; None where nothing is to be done behind it (any more). Locks the job."""
        if len(token) > _TOKEN_MAX_CHARACTERS:
            return None
        job = await self._jobs.asked(connection, self._hash(token), now)
        store = self._stores.get(job.task.store) if job else None
        if job is None or store is None:
            return None
        people, unopened = execution.opened(store, job.task)
        return Asked(store, job, people, unopened)

    async def answer(
        self, connection: Connection, asked: Asked, results: Sequence[StoreResult], now: datetime
    ) -> None:  # fmt: skip
        """Write the receipt and end the job that `look` has locked in the caller's transaction."""
        by_ref = {one.subject_ref: one for one in [*results, *asked.unopened]}
        ordered = [by_ref[subject.subject_ref] for subject in asked.job.task.subjects]
        await self._jobs.answer(connection, asked.job, ordered, now)
        await self._jobs.drop(connection, [asked.job])

    def backups_until(self, asked: Asked, now: datetime) -> date | None:
        """The last day of the store's backups."""
        return execution.backups_until(asked.store, now)

    def _hash(self, token: str) -> UUID:
        return UUID(bytes=self._keyring.lookup_hash("token", b"store\0" + token.encode("utf-8", "replace")))
