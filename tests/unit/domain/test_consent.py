"""What a consent event does: a no counts whenever it arrives, a yes only if it is younger than the last no."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.consents import PURPOSES, change
from tests.support.orders import NOW
from workers.domain import consent
from workers.domain.consent import (
    ENDINGS,
    VALID,
    Decision,
    Effect,
    Entity,
    Kind,
    Record,
    Status,
    Suppression,
    SuppressionReason,
)
from workers.domain.purposes import Purpose
from workers.errors import RefusalCode, Refused

YEARS = timedelta(days=3 * 365)
BEFORE, LATER = NOW - timedelta(days=1), NOW + timedelta(days=1)
ASKED = Record(Status.REQUESTED, "2026-01", BEFORE)
GIVEN = Record(Status.GIVEN, "2026-01", BEFORE, BEFORE + YEARS)
WITHDRAWN = Record(Status.WITHDRAWN, "2026-01", NOW)
SINGLE = Purpose(term="dpv:Marketing", title={"en": "x"}, needs_double_opt_in=False, marketing=True)
SUPPRESSED = Suppression(SuppressionReason.WITHDRAWN, BEFORE)
COMPLAINED = Suppression(SuppressionReason.COMPLAINT, BEFORE)


def decide(
    record: Record | None,
    kind: Kind,
    suppression: Suppression | None = None,
    purpose: Purpose = PURPOSES["newsletter"],
    now: datetime = NOW,
    **more: Any,
) -> Decision:
    return consent.decide(record, suppression, change(kind, **{"event_time": now, **more}), purpose, now, YEARS)


def test_a_yes_asks_for_a_confirmation() -> None:
    decision = decide(None, Kind.GIVEN)
    assert decision == Decision(Record(Status.REQUESTED, "2026-01", NOW), True, frozenset((Effect.ASK,)))


def test_a_yes_to_a_purpose_that_needs_no_double_opt_in_counts_at_once() -> None:
    decision = decide(None, Kind.GIVEN, purpose=SINGLE)
    assert decision.record == Record(Status.GIVEN, "2026-01", NOW, NOW + YEARS)


def test_a_proven_yes_counts_at_once_and_from_when_it_was_given() -> None:
    decision = decide(None, Kind.GIVEN, double_opt_in=True, event_time=BEFORE)
    assert decision.record == Record(Status.GIVEN, "2026-01", BEFORE, BEFORE + YEARS)


def test_after_a_no_even_the_simplest_purpose_needs_a_confirmation() -> None:
    decision = decide(None, Kind.GIVEN, SUPPRESSED, SINGLE)
    assert decision.record is not None
    assert decision.record.status is Status.REQUESTED
    assert decision.effects == {Effect.ASK}


def test_a_proven_yes_lifts_a_withdrawal_but_no_complaint_and_no_objection() -> None:
    assert Effect.UNSUPPRESS in decide(None, Kind.GIVEN, SUPPRESSED, double_opt_in=True).effects
    for reason in (SuppressionReason.COMPLAINT, SuppressionReason.OBJECTION):
        decision = decide(None, Kind.GIVEN, Suppression(reason, BEFORE), double_opt_in=True)
        assert decision.effects == {Effect.ASK}


@pytest.mark.parametrize("at", [NOW, BEFORE])
@pytest.mark.parametrize("double_opt_in", [True, False])
def test_a_yes_that_is_not_younger_than_the_no_has_no_effect(at: datetime, double_opt_in: bool) -> None:
    assert decide(WITHDRAWN, Kind.GIVEN, event_time=at, double_opt_in=double_opt_in) == Decision(WITHDRAWN, True)
    no = Suppression(SuppressionReason.WITHDRAWN, NOW)
    assert decide(None, Kind.GIVEN, no, event_time=at, double_opt_in=double_opt_in) == Decision(None, False)


def test_a_yes_from_the_future_counts_from_now() -> None:
    decision = decide(None, Kind.GIVEN, double_opt_in=True, event_time=LATER)
    assert decision.record is not None
    assert decision.record.changed_at == NOW


def test_who_agreed_already_is_told_so_when_they_ask_themselves() -> None:
    assert decide(GIVEN, Kind.GIVEN) == Decision(GIVEN, True, frozenset((Effect.TELL_VALID,)))
    assert decide(GIVEN, Kind.GIVEN, entity=Entity.UPSTREAM) == Decision(GIVEN, True)


def test_a_late_repetition_of_an_older_yes_does_not_bring_back_its_notice() -> None:
    old = decide(GIVEN, Kind.GIVEN, double_opt_in=True, event_time=BEFORE - YEARS / 2, privacy_notice="2025-01")
    assert old == Decision(GIVEN, True)


def test_a_confirmation_makes_it_valid_and_lifts_every_suppression() -> None:
    decision = decide(ASKED, Kind.CONFIRMED, COMPLAINED)
    assert decision.record == Record(Status.GIVEN, "2026-01", NOW, NOW + YEARS)
    assert decision.effects == {Effect.OWN_CONTACT, Effect.UNSUPPRESS}


@pytest.mark.parametrize("at", [BEFORE, BEFORE - timedelta(minutes=5)], ids=["of the same moment", "older"])
def test_a_confirmation_from_before_the_last_no_confirms_nothing(at: datetime) -> None:
    asked_again = Record(Status.REQUESTED, "2026-01", NOW)
    decision = decide(asked_again, Kind.CONFIRMED, SUPPRESSED, event_time=at, entity=Entity.UPSTREAM)
    assert decision == Decision(asked_again, recorded=True)


def test_another_s_confirmation_does_not_lift_a_complaint() -> None:
    with pytest.raises(Refused, match="only their own confirmation"):
        decide(ASKED, Kind.CONFIRMED, COMPLAINED, entity=Entity.UPSTREAM)


@pytest.mark.parametrize("record", [None, WITHDRAWN, WITHDRAWN._replace(status=Status.EXPIRED)])
def test_a_confirmation_that_nobody_asked_for_is_refused(record: Record | None) -> None:
    with pytest.raises(Refused) as refused:
        decide(record, Kind.CONFIRMED)
    assert refused.value.code is RefusalCode.CONSENT_STATE


def test_a_confirmation_of_what_is_valid_is_a_sign_of_life_and_a_renewal_where_one_was_asked_for() -> None:
    assert decide(GIVEN, Kind.CONFIRMED) == Decision(GIVEN, True, frozenset((Effect.OWN_CONTACT,)))
    renewed = decide(GIVEN._replace(renewal_requested_at=BEFORE), Kind.CONFIRMED)
    assert renewed.record == Record(Status.RENEWED, "2026-01", NOW, NOW + YEARS)


def test_only_a_valid_consent_is_renewed() -> None:
    assert decide(GIVEN, Kind.RENEWED).record == Record(Status.RENEWED, "2026-01", NOW, NOW + YEARS)
    with pytest.raises(Refused):
        decide(ASKED, Kind.RENEWED)


@pytest.mark.parametrize("record", [None, ASKED, GIVEN, WITHDRAWN, GIVEN._replace(status=Status.EXPIRED)])
@pytest.mark.parametrize("kind", list(ENDINGS))
def test_after_a_no_nothing_is_valid_whatever_it_was(record: Record | None, kind: Kind) -> None:
    for at in (BEFORE - YEARS, NOW, LATER):
        decision = decide(record, kind, event_time=at)
        assert decision.record is not None
        assert decision.record.status not in VALID
        assert decision.record.expires_at is None
        assert decision.effects == {Effect.SUPPRESS}


def test_a_no_that_comes_late_counts_from_the_last_yes_on() -> None:
    decision = decide(GIVEN, Kind.WITHDRAWN, event_time=BEFORE - timedelta(days=9))
    assert decision.record == Record(Status.WITHDRAWN, "2026-01", BEFORE)


@pytest.mark.parametrize(
    ("record", "kind", "status"),
    [
        (None, Kind.REFUSED, Status.REFUSED),
        (ASKED, Kind.REFUSED, Status.REFUSED),
        (GIVEN, Kind.REFUSED, Status.WITHDRAWN),
        (GIVEN, Kind.HARD_BOUNCE, Status.INVALIDATED),
        (GIVEN, Kind.COMPLAINT, Status.WITHDRAWN),
        (WITHDRAWN, Kind.HARD_BOUNCE, Status.WITHDRAWN),
    ],
)
def test_how_a_consent_ends(record: Record | None, kind: Kind, status: Status) -> None:
    decision = decide(record, kind)
    assert decision.record is not None
    assert decision.record.status is status


def test_it_expires_when_it_is_due_and_not_before() -> None:
    assert decide(GIVEN, Kind.EXPIRED) == Decision(GIVEN, False)
    due = BEFORE + YEARS
    assert decide(GIVEN, Kind.EXPIRED, now=due).record == Record(Status.EXPIRED, "2026-01", due)
    assert decide(ASKED, Kind.EXPIRED, now=due) == Decision(ASKED, False)


def test_a_renewal_is_asked_for_once() -> None:
    asked = decide(GIVEN, Kind.RENEWAL_REQUESTED)
    assert asked.effects == {Effect.ASK_RENEWAL}
    assert asked.record is not None
    assert asked.record.renewal_requested_at == NOW
    assert decide(asked.record, Kind.RENEWAL_REQUESTED) == Decision(asked.record, False)


@pytest.mark.parametrize(
    ("record", "suppression"),
    [
        (WITHDRAWN, None),
        (None, SUPPRESSED),
        (None, COMPLAINED),
        (ASKED, SUPPRESSED),
        (WITHDRAWN._replace(status=Status.INVALIDATED), None),
        (WITHDRAWN._replace(status=Status.REFUSED), None),
    ],
)
def test_an_import_never_overrides_a_no(record: Record | None, suppression: Suppression | None) -> None:
    with pytest.raises(Refused, match="never overrides"):
        decide(record, Kind.IMPORTED, suppression, SINGLE, event_time=NOW, double_opt_in=True)


def test_an_import_needs_a_confirmation_where_the_purpose_does_and_a_consent_that_is_still_young() -> None:
    assert decide(None, Kind.IMPORTED, double_opt_in=True, event_time=BEFORE).record == Record(
        Status.GIVEN, "none", BEFORE, BEFORE + YEARS
    )
    with pytest.raises(Refused, match="double opt-in"):
        decide(None, Kind.IMPORTED)
    with pytest.raises(Refused, match="too old"):
        decide(None, Kind.IMPORTED, double_opt_in=True, event_time=NOW - YEARS)
    with pytest.raises(Refused, match="expired"):
        decide(Record(Status.EXPIRED, "1", NOW), Kind.IMPORTED, double_opt_in=True, event_time=BEFORE)
    assert decide(GIVEN, Kind.IMPORTED, double_opt_in=True) == Decision(GIVEN, False)


def test_what_is_said_about_the_address_is_said_about_every_purpose() -> None:
    scopes = {kind: consent.scope(change(kind)) for kind in ENDINGS}
    assert scopes == {
        Kind.WITHDRAWN: "newsletter", Kind.REFUSED: "newsletter", Kind.OBJECTION: "*", Kind.COMPLAINT: "*",
        Kind.HARD_BOUNCE: "*",
    }  # fmt: skip


def test_of_two_suppressions_the_stronger_reason_and_the_later_time_hold() -> None:
    later = Suppression(SuppressionReason.HARD_BOUNCE, NOW)
    assert consent.stronger(COMPLAINED, later) == Suppression(SuppressionReason.COMPLAINT, NOW)
    assert consent.stronger(None, later) == consent.stronger(later, None) == later
    assert consent.stronger(None, None) is None
