"""Whatever is said about an address, by whomever and in whatever order: what always holds about its consent."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.consents import PURPOSES, change
from tests.support.orders import NOW
from workers.domain import consent
from workers.domain.consent import (
    ENDINGS,
    VALID,
    ConsentChange,
    Decision,
    Effect,
    Entity,
    Kind,
    Record,
    Suppression,
    SuppressionReason,
)
from workers.domain.purposes import Purpose
from workers.errors import Refused

YEARS = timedelta(days=3 * 365)
SINGLE = Purpose(term="dpv:Marketing", title={"en": "x"}, needs_double_opt_in=False, marketing=True)

purposes = st.sampled_from([PURPOSES["newsletter"], SINGLE])
changes = st.builds(
    lambda kind, hours, **more: change(kind, event_time=NOW + timedelta(hours=hours), **more),
    st.sampled_from(Kind),
    st.integers(-200, 200),
    entity=st.sampled_from(Entity),
    double_opt_in=st.booleans(),
)
histories = st.lists(st.tuples(changes, st.integers(0, 400)), max_size=15)


class Step(NamedTuple):
    """One event and what became of it; `decision` is None where it was refused."""

    change: ConsentChange
    now: Any
    before: Record | None
    suppressed: Suppression | None
    decision: Decision | None


def run(history: list[Any], purpose: Purpose) -> Iterator[Step]:
    """The events one after the other, at times that never go back; what a desk keeps is kept here."""
    record: Record | None = None
    suppression: Suppression | None = None
    now = NOW
    for happened, days in history:
        now += timedelta(days=days)
        shifted = happened._replace(event_time=happened.event_time + (now - NOW))
        try:
            decision = consent.decide(record, suppression, shifted, purpose, now, YEARS)
        except Refused:
            yield Step(shifted, now, record, suppression, None)
            continue
        yield Step(shifted, now, record, suppression, decision)
        record = decision.record
        if Effect.SUPPRESS in decision.effects:
            assert record is not None
            said_no = Suppression(ENDINGS[happened.kind], record.changed_at)
            suppression = consent.stronger(suppression, said_no)
        if Effect.UNSUPPRESS in decision.effects:
            suppression = None


@given(histories, purposes)
@settings(max_examples=400, deadline=None)
def test_what_is_valid_is_not_suppressed_and_ends_some_day(history: list[Any], purpose: Purpose) -> None:
    for step in run(history, purpose):
        record = step.before if step.decision is None else step.decision.record
        if record is None:
            continue
        valid = record.status in VALID
        assert valid == (record.expires_at is not None)
        if step.decision is not None and valid:
            assert step.suppressed is None or Effect.UNSUPPRESS in step.decision.effects


@given(histories, purposes)
@settings(max_examples=400, deadline=None)
def test_after_a_no_only_a_younger_yes_that_the_person_has_confirmed_counts(
    history: list[Any], purpose: Purpose
) -> None:
    for step in run(history, purpose):
        if step.suppressed is None or step.decision is None or step.decision.record is None:
            continue
        if step.decision.record.status not in VALID:
            continue
        by_link = step.change.kind is Kind.CONFIRMED
        younger = step.change.event_time > step.suppressed.since
        assert by_link or (step.change.kind is Kind.GIVEN and step.change.double_opt_in and younger)
        if step.suppressed.reason in (SuppressionReason.COMPLAINT, SuppressionReason.OBJECTION):
            assert by_link
            assert step.change.entity is Entity.SUBJECT


@given(histories, purposes)
@settings(max_examples=400, deadline=None)
def test_a_no_always_counts_and_an_import_never_against_it(history: list[Any], purpose: Purpose) -> None:
    for step in run(history, purpose):
        if step.change.kind in ENDINGS:
            assert step.decision is not None
            assert step.decision.record is not None
            assert step.decision.record.status not in VALID
            assert Effect.SUPPRESS in step.decision.effects
        if step.change.kind is Kind.IMPORTED and step.suppressed is not None:
            assert step.decision is None


@given(histories, purposes)
@settings(max_examples=400, deadline=None)
def test_a_record_never_goes_back_in_time_nor_into_the_future(history: list[Any], purpose: Purpose) -> None:
    for step in run(history, purpose):
        if step.decision is None or step.decision.record is None:
            continue
        assert step.decision.record.changed_at <= step.now
        if step.before is not None:
            assert step.decision.record.changed_at >= step.before.changed_at


@given(histories, purposes)
@settings(max_examples=400, deadline=None)
def test_the_same_yes_again_changes_nothing_that_matters(history: list[Any], purpose: Purpose) -> None:
    for step in run(history, purpose):
        if step.decision is None or step.change.kind not in (Kind.GIVEN, Kind.IMPORTED):
            continue
        suppression = None if Effect.UNSUPPRESS in step.decision.effects else step.suppressed
        again = consent.decide(step.decision.record, suppression, step.change, purpose, step.now, YEARS)
        assert (again.record is None) == (step.decision.record is None)
        if again.record is not None and step.decision.record is not None:
            assert again.record.status is step.decision.record.status
