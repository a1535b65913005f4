"""The announcements agent.

consumes  `policies`: policy.published, from the controller (`lethe policy publish`)
decides   whether people must be told: a material change is announced, another is only written down
emits     nothing to Kafka; the announcer (`workers.announcer`) writes the mails
keeps     one row per version; a version that was published does not change
"""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

import asyncpg
import orjson

from schemas.policy import PolicyPublished
from workers.db import sql
from workers.engine.admission import Event
from workers.engine.database import Connection
from workers.engine.outbox import Message
from workers.errors import RefusalCode, Refused
from workers.vault.subjects import Subject

NAME = "announcements"
TOPIC = "policies"

_QUERIES = sql.queries("policies")


class AnnouncementsUnit:
    """One attempt to apply a batch of published versions (engine.unit.UnitOfWork)."""

    def __init__(self) -> None:
        self._known: dict[str, PolicyPublished] = {}
        self._new: dict[str, PolicyPublished] = {}

    async def load(self, connection: Connection, events: Sequence[tuple[Event, Subject]]) -> None:
        """Read the versions that these events name, locked until the commit."""
        named = sorted({_policy(event).version for event, _ in events})
        for row in await connection.fetch(_QUERIES["load"], named):
            self._known[row["version"]] = published(row)

    def handle(self, event: Event, subject: Subject) -> list[Message]:
        """Take one version in. Raises Refused with nothing changed."""
        policy = _policy(event)
        if event.record.key != policy.version.encode():
            raise Refused(RefusalCode.KEY_INVALID, "the record's key is not the version in its body", "key")
        known = self._known.get(policy.version) or self._new.get(policy.version)
        if known is None:
            self._new[policy.version] = policy
        elif known != policy:
            raise Refused(
                RefusalCode.POLICY_CONFLICT,
                "this version was published before with other words: people were told those; publish a new version",
                "version",
            )
        return []

    async def store(self, connection: Connection, now: datetime) -> None:
        """Write new versions; their mails begin with the commit."""
        for policy in self._new.values():
            summaries = [one.model_dump() for one in policy.summaries]
            await connection.execute(
                _QUERIES["record"], policy.version, policy.effective, policy.material,
                orjson.dumps(summaries).decode(), "announcing" if policy.material else "recorded", now,
            )  # fmt: skip


def published(row: asyncpg.Record) -> PolicyPublished:
    """A row of `policies.load` as it was published."""
    fields = {name: row[name] for name in ("version", "effective", "material")}
    return PolicyPublished.model_validate({**fields, "summaries": orjson.loads(row["summaries"])})


def _policy(event: Event) -> PolicyPublished:
    return cast(PolicyPublished, event.data)  # admission lets only events of the topic through
