"""Importing subscribers: evidence or nothing, line by line, and never against a no."""

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.consents import ConsentWorld, change, consent_world
from tests.support.orders import NOW
from workers.consent import imports
from workers.consent.imports import ImportedLine, SubscriberFile
from workers.domain.consent import Kind
from workers.errors import UsageError

LINE = {
    "email": "erika@example.com", "purpose": "newsletter", "consented_at": "2026-01-03T10:00:00+01:00",
    "confirmed_at": "2026-01-03T10:05:00+01:00", "collection_method": "web_form", "privacy_notice": "2026-01",
    "language": "fr", "wording": "Send me \"news\",\nplease",
}  # fmt: skip


@pytest.fixture
async def world(database: str, tmp_path: Path) -> AsyncIterator[ConsentWorld]:
    async with consent_world(database, tmp_path) as made:
        yield made


def text(*lines: dict[str, str]) -> io.StringIO:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(LINE))
    writer.writeheader()
    writer.writerows({**LINE, **line} for line in lines)
    out.seek(0)
    return out


async def run(world: ConsentWorld, *lines: dict[str, str], dry_run: bool = False) -> list[ImportedLine]:
    file = SubscriberFile(text(*lines))
    async with world.pool.acquire() as connection:
        run: Any = imports.run(file, connection, world.desk, lambda: NOW, dry_run)
        return [line async for line in run]


async def test_a_file_becomes_consents_and_nobody_is_mailed(world: ConsentWorld) -> None:
    told = await run(world, {}, {"email": "otto@example.com"})
    assert [line.state for line in told] == ["added", "added"]
    assert await world.status() == "ConsentGiven"
    assert world.ledger.posted == []
    assert await world.pool.fetchval("select min(language) from contacts") == "fr"


async def test_twice_is_harmless(world: ConsentWorld) -> None:
    await run(world, {}, {})
    assert [line.state for line in await run(world, {})] == ["known"]
    assert await world.count("consent_events") == 1


async def test_an_opt_out_is_never_undone(world: ConsentWorld) -> None:
    await run(world, {}, {"purpose": "support"}, {"email": "bounced@example.com"})
    await world.apply(change(Kind.WITHDRAWN), change(Kind.HARD_BOUNCE, "bounced@example.com"))
    await world.apply(change(Kind.WITHDRAWN, "stranger@example.com", "*"))
    told = await run(
        world, {}, {"email": "ERIKA@example.com"}, {"purpose": "support"}, {"email": "bounced@example.com"},
        {"email": "stranger@example.com"},
    )  # fmt: skip
    assert [line.state for line in told] == ["refused", "refused", "known", "refused", "refused"]
    assert all("never overrides" in line.refusal.reason for line in told if line.refusal)
    assert await world.status() == "ConsentWithdrawn"
    assert await world.status("stranger@example.com") is None
    assert await world.suppressions() == {"newsletter": "withdrawn"}


async def test_each_refused_line_says_why_and_the_others_are_imported(world: ConsentWorld) -> None:
    told = await run(
        world, {"confirmed_at": ""}, {"email": "x"}, {"wording": ""}, {"purpose": "astrology"},
        {"consented_at": "2020-01-01T00:00:00Z", "confirmed_at": "2020-01-01T00:00:00Z"}, {},
    )  # fmt: skip
    assert [(line.state, line.refusal.field if line.refusal else None) for line in told] == [
        ("refused", "confirmed_at"),
        ("refused", "email"),
        ("refused", "reference"),
        ("refused", "purpose"),
        ("refused", "consented_at"),
        ("added", None),
    ]
    assert [line.number for line in told] == [3, 5, 6, 8, 10, 12], "the file's lines: a cell may hold line breaks"


async def test_a_dry_run_leaves_nothing(world: ConsentWorld) -> None:
    assert [line.state for line in await run(world, {}, dry_run=True)] == ["added"]
    assert await world.count("contacts") == 0


async def test_a_large_file_goes_in_slices(world: ConsentWorld) -> None:
    told = await run(world, *({"email": f"p{n}@example.com"} for n in range(1200)))
    assert [line.state for line in told] == ["added"] * 1200
    assert await world.count("contacts") == 1200


def test_without_evidence_columns_nothing_is_imported() -> None:
    with pytest.raises(UsageError, match=r"consented_at, collection_method.*GDPR 7"):
        SubscriberFile(io.StringIO("email,purpose\n"))


def test_other_columns_are_named_and_left_out() -> None:
    file = SubscriberFile(io.StringIO(",".join((*LINE, "birthday")) + "\n"))
    assert file.ignored == ["birthday"]


async def test_a_file_that_breaks_off_says_where(world: ConsentWorld) -> None:
    file = SubscriberFile(io.StringIO(text({}).getvalue() + '"unfinished'))
    async with world.pool.acquire() as connection:
        with pytest.raises(UsageError, match="after line 3"):
            _ = [line async for line in imports.run(file, connection, world.desk, lambda: NOW)]
