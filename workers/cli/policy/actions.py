"""What the commands of `lethe policy` do."""

import asyncio
import hashlib
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import asyncpg

from schemas import envelope, registry
from schemas.attributes import CloudEvent
from schemas.policy import PolicyPublished, PolicySummary
from workers import announcements, clock, policies
from workers import settings as settings_module
from workers.cli import connections
from workers.cli.events import upstream
from workers.cli.events.upstream import Outgoing
from workers.db import migrate, sql
from workers.errors import UsageError
from workers.mail.templates import LANGUAGES
from workers.policies import Policies, Policy
from workers.settings import Settings

_QUERIES = sql.queries("policies")
_MARKS = {"same": "{}", "added": "{{+{}+}}", "removed": "[-{}-]"}
SOURCE = "/lethe/policies"


def listed(language: str) -> list[str]:
    """A line per version, the newest first."""
    settings = settings_module.load()
    declared, now = _load(settings), clock.system_clock()
    in_force = declared.effective(now, language)
    published = asyncio.run(_published(settings))
    lines = []
    for one in declared.versions(language):
        row = published.get(one.version)
        told = (
            "not published"
            if row is None
            else f"{row['state']}, {row['mails']} mails"
            if row["material"]
            else "published"
        )
        mark = " (in force)" if in_force is not None and one.version == in_force.version else ""
        lines.append(f"{one.version:<12} from {one.effective}{mark}: {told}. {one.summary}")
    return lines or [f"there is no policy in {settings.policies_dir}"]


def find(version: str, language: str) -> Policy:
    """One version. Raises UsageError."""
    return _find(_load(settings_module.load()), version, language)


def difference(version: str, language: str) -> Iterator[str]:
    """Paragraph by paragraph. Raises UsageError."""
    declared = _load(settings_module.load())
    policy = _find(declared, version, language)
    if declared.before(policy) is None:
        yield f"{version} is the first version"
    heading = ""
    for change in declared.changes(policy):
        if change.heading != heading:
            heading = change.heading
            yield f"\n## {heading}"
        yield "".join(_MARKS[piece.kind].format(piece.text) for piece in change.pieces)


def publish(version: str, late: bool) -> str:
    """What was published, in words. Raises UsageError where it would come too late."""
    settings = settings_module.load()
    declared, now = _load(settings), clock.system_clock()
    policy = _find(declared, version, LANGUAGES[0])
    if policy.material and not late and declared.before(policy) is not None:
        _check_notice(policy, settings, now)
    event = PolicyPublished(
        version=policy.version,
        effective=policy.effective,
        material=policy.material,
        summaries=tuple(
            PolicySummary(language=one.language, text=one.summary)
            for language in LANGUAGES
            if (one := _find(declared, version, language)).language == language
        ),
    )
    asyncio.run(_publish(settings, event, now))
    follows = "everybody is told by mail" if policy.material else "it is not material, so nobody is told by mail"
    return f"{version} is published, in force from {policy.effective}; {follows}"


async def _publish(settings: Settings, event: PolicyPublished, now: datetime) -> None:
    """The event's id names its content: the same one again is a repetition, other words are refused."""
    async with connections.database(settings) as connection:
        await migrate.check(connection)
        for row in await connection.fetch(_QUERIES["load"], [event.version]):
            if announcements.published(row) != event:
                raise UsageError(
                    f"{event.version} was published before with other words, which people were told: give the "
                    "correction a version of its own"
                )
    body = registry.encode(event)
    event_id = f"{event.version}.{hashlib.sha256(body).hexdigest()[:16]}"
    headers = envelope.to_headers(CloudEvent(event_id, SOURCE, "policy.published", now, event.version, None, body))
    await upstream.publish(settings, settings.topic("policies"), [Outgoing(event.version.encode(), headers, body)])


def _check_notice(policy: Policy, settings: Settings, now: datetime) -> None:
    left = (policy.effective - now.astimezone(ZoneInfo(settings.time_zone)).date()).days
    if left < settings.policy_notice_days:
        raise UsageError(
            f"{policy.version} takes effect in {left} days, and people are told {settings.policy_notice_days} days "
            "before: set a later `effective`, or add --late if it cannot wait"
        )


def _load(settings: Settings) -> Policies:
    return policies.load(settings.policies_dir, settings.time_zone)


def _find(declared: Policies, version: str, language: str) -> Policy:
    found = declared.find(version, language)
    if found is None:
        known = ", ".join(one.version for one in declared.versions(language)) or "none"
        raise UsageError(f"there is no version {version}; there are: {known}")
    return found


async def _published(settings: Settings) -> dict[str, asyncpg.Record]:
    async with connections.database(settings) as connection:
        await migrate.check(connection)
        return {row["version"]: row for row in await connection.fetch(_QUERIES["list"])}
