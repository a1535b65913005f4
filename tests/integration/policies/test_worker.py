"""From the command to the mails, on real Kafka and PostgreSQL, across kill -9; and the command itself."""

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.support import lethe
from tests.support.consents import PURPOSES, Ledger
from tests.support.endpoints import Endpoints
from tests.support.waiting import wait_until
from tests.support.worker_process import worker_process
from workers.cli import app, connections
from workers.cli.local import environment
from workers.consent.desk import ConsentDesk
from workers.domain.consent import ConsentChange, Entity, Kind
from workers.settings import Settings
from workers.vault import keyring
from workers.vault.subjects import SubjectVault

PEOPLE = 1000
TODAY = datetime.now(UTC)
FRONT = '---\nversion: "{0}"\neffective: {1}\nmaterial: {2}\nsummary: Words of {0}.\n---\n# Policy\n\nText of {0}.\n'


def write(folder: Path, version: str, days: int, material: str = "true") -> None:
    folder.mkdir(exist_ok=True)
    effective = TODAY.date() + timedelta(days=days)
    (folder / f"{version}.en.md").write_text(FRONT.format(version, effective, material))


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    folder = tmp_path / "policies"
    write(folder, "2020-01", -400)
    write(folder, "2027-01", 30)
    write(folder, "2027-02", 60, "false")
    write(folder, "2026-99", 3)
    settings = lethe.prepare(stack, prefix, database, tmp_path, policies_dir=folder)
    for name, value in environment.variables(settings).items():
        monkeypatch.setenv(name, value)
    return settings


def policy(*arguments: str) -> Result:
    return CliRunner().invoke(app.app, ["policy", *arguments])


def subscribe(settings: Settings) -> None:
    ring = keyring.load(settings.keyring_dir)
    desk = ConsentDesk(SubjectVault(ring), ring, PURPOSES, Ledger(), settings)
    at = TODAY - timedelta(days=1)
    changes = [
        ConsentChange(
            Kind.IMPORTED, "newsletter", Entity.STAFF, "paper", at, email=f"p{number}@example.com", language="en",
            privacy_notice="2020-01", double_opt_in=True,
        )
        for number in range(PEOPLE)
    ]  # fmt: skip

    async def apply() -> None:
        async with connections.database(settings) as connection, connection.transaction():
            await desk.apply(connection, changes, at)

    lethe.in_a_loop(apply())


def count(settings: Settings, query: str) -> int:
    async def read() -> int:
        async with connections.database(settings) as connection:
            found: int = await connection.fetchval(query)
            return found

    return lethe.in_a_loop(read())


MAILS = "select count(*) from mails where template = 'policy_announced'"
PEOPLE_TOLD = f"select count(distinct contact_id) from ({MAILS.replace('count(*)', 'contact_id')}) as told"


def test_everybody_is_told_once_across_a_kill(settings: Settings) -> None:
    subscribe(settings)
    assert policy("publish", "2027-01").exit_code == 0
    with worker_process(settings, ("announcements",), crash_at="announcer.before_commit:3", ready=False) as worker:
        assert worker.wait() == -signal.SIGKILL
    assert 0 < count(settings, MAILS) < PEOPLE
    with worker_process(settings, ("announcements",)) as worker:
        wait_until(lambda: count(settings, MAILS) >= PEOPLE, 60, lambda: worker.log[-3000:])
        again = policy("publish", "2027-01")
        assert again.exit_code == 0, again.output
        assert policy("publish", "2027-02").exit_code == 0
        versions = "select count(*) from policy_versions"
        wait_until(lambda: count(settings, versions) == 2, 30, lambda: worker.log[-3000:])
        assert "@example.com" not in worker.log
    assert count(settings, MAILS) == count(settings, PEOPLE_TOLD) == PEOPLE
    listed = policy("ls").stdout.splitlines()
    assert [line.split(": ", 1)[1] for line in listed] == [
        "published. Words of 2027-02.", "announcing, 1000 mails. Words of 2027-01.",
        "not published. Words of 2026-99.", "not published. Words of 2020-01.",
    ]  # fmt: skip
    assert "(in force)" in listed[-1]


def test_too_late_is_not_published_unless_told_so(settings: Settings) -> None:
    refused = policy("publish", "2026-99")
    assert refused.exit_code == 1
    assert "takes effect in 3 days, and people are told 14 days before" in refused.output
    assert lethe.read_topics(settings, ["policies"]) == []
    assert policy("publish", "2026-99", "--late").exit_code == 0
    (record,) = lethe.read_topics(settings, ["policies"])
    assert record.key == b"2026-99"
    assert lethe.decode(record).summaries[0].text == "Words of 2026-99."


def test_what_people_were_told_is_not_changed(settings: Settings) -> None:
    assert policy("publish", "2027-01").exit_code == 0
    with worker_process(settings, ("announcements",)) as worker:
        wait_until(lambda: count(settings, "select count(*) from policy_versions") == 1, 30, lambda: worker.log[-3000:])
    write(settings.policies_dir, "2027-01", 45)
    refused = policy("publish", "2027-01")
    assert refused.exit_code == 1
    assert "published before with other words" in refused.output


def test_versions_are_shown_and_compared(settings: Settings) -> None:
    assert policy("show", "2020-01").stdout == "# Policy\n\nText of 2020-01.\n"
    assert policy("diff", "2027-01").stdout == "\n## Policy\nText of [-2026-99.-]{+2027-01.+}\n"
    assert "first version" in policy("diff", "2020-01").stdout
    unknown = policy("show", "1999-01")
    assert unknown.exit_code == 1
    assert "there are: 2027-02, 2027-01, 2026-99, 2020-01" in unknown.output
