"""What a certificate may state, and what it refuses to claim."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.support.certificates import AT, facts, later, partly, store
from workers.proof.facts import (
    LEFT_OUT,
    CarrierProof,
    Kept,
    SharedTopic,
    TopicProof,
    Unreadable,
    without_personal_data,
)

PARTS = {
    "stores": store(verified_absent_at=None, not_confirmed="no answer"),
    "own_stores": store(verified_absent_at=None, not_confirmed="rows were left"),
    "topics": TopicProof(topic="orders", not_confirmed="bytes are still on the disk"),
    "carriers": CarrierProof(carrier="gls", shipments=1, told_at=AT, not_confirmed="the topic was not compacted"),
}


@pytest.mark.parametrize("part", PARTS)
def test_completed_cannot_be_claimed_while_one_part_is_not_confirmed(part: str) -> None:
    with pytest.raises(ValidationError, match="cannot be completed"):
        facts(**{part: (PARTS[part],)})
    assert len(partly(**{"stores": (), part: (PARTS[part],)}).unconfirmed) == 1


@pytest.mark.parametrize("part", ["stores", "own_stores"])
def test_a_store_without_proof_needs_a_reason(part: str) -> None:
    with pytest.raises(ValidationError, match="neither proof of absence nor a reason"):
        partly(**{part: (store(verified_absent_at=None),)})


def test_only_places_of_lethe_may_be_rendered_unreadable_instead_of_looked_at() -> None:
    unreadable = store(verified_absent_at=None, rendered_unreadable=Unreadable(key_epoch=1, destroyed_at=AT))
    assert facts(own_stores=(unreadable,)).unconfirmed == ()
    with pytest.raises(ValidationError, match="neither proof of absence"):
        facts(stores=(unreadable,))


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"trimmed_at": AT, "not_confirmed": "no"},
        {"trimmed_at": AT, "shared": SharedTopic(retention_days=7, gone_on=date(2026, 3, 8))},
    ],
)
def test_a_topic_says_exactly_one_thing(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="exactly one of them"):
        TopicProof(topic="orders", **said)


@pytest.mark.parametrize(
    "said", [{"acknowledged": 2}, {"acknowledged": 1, "acknowledged_at": None}, {"acknowledged": 0}]
)
def test_a_carrier_acknowledges_no_more_than_it_was_told(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="acknowledged shipments"):
        CarrierProof(carrier="gls", shipments=1, told_at=AT, **{"acknowledged_at": AT, **said})


def test_times_have_a_zone_and_are_kept_in_utc() -> None:
    paris = datetime(2026, 3, 1, 14, 0, tzinfo=timezone(timedelta(hours=1)))
    assert facts(completed_at=paris).completed_at == datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
    assert facts(completed_at=paris).model_dump(mode="json")["completed_at"] == "2026-03-01T13:00:00Z"
    with pytest.raises(ValidationError, match="time zone"):
        facts(completed_at=datetime(2026, 3, 1, 12, 0))


@pytest.mark.parametrize(
    ("reason", "left"),
    [
        ("row of ada@example.org is locked", f"row of {LEFT_OUT} is locked"),
        ("call +33 6 12 34 56 78 first", f"call {LEFT_OUT} first"),
        ("order 20260301123456 is open", f"order {LEFT_OUT} is open"),
        ("no answer within 60 s, 3 times since 2026-03-01", "no answer within 60 s, 3 times since 2026-03-01"),
        ("two\nlines\x00 and\u2028more", "two lines and more"),
    ],
)
def test_a_stores_own_words_lose_addresses_and_long_numbers(reason: str, left: str) -> None:
    made = partly(stores=(store(verified_absent_at=None, not_confirmed=reason),))
    assert made.stores[0].not_confirmed == left
    assert Kept(what="x", ground=reason).ground == left


@given(st.text(max_size=400))
def test_striking_out_settles(words: str) -> None:
    once = without_personal_data(words)
    assert isinstance(once, str)
    assert "@" not in once
    assert without_personal_data(once) == once


def test_a_topic_keeps_its_name_however_many_digits_it_has() -> None:
    assert TopicProof(topic="t276047548c.orders", trimmed_at=AT).topic == "t276047548c.orders"
    with pytest.raises(ValidationError):
        TopicProof(topic="ada@example.org", trimmed_at=AT)


def test_what_is_not_foreseen_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValidationError) as refused:
        facts(email="ada@example.org")
    assert "ada@example.org" not in str(refused.value)
    assert facts().fenced_at == later(2)
