"""What a consent event does to the consent record of one address and purpose.

    (none) ──given──► ConsentRequested ──confirmed──► ConsentGiven ──renewed──► RenewedConsentGiven
      └── given, proven or needing no double opt-in ──────┘ │                          │
                 any ──withdrawn, complaint──► ConsentWithdrawn     valid ──expired──► ConsentExpired
                 any ──hard bounce──► ConsentInvalidated   asked, none ──refused──► ConsentRefused

Statuses are those of W3C DPV 2.3; ConsentGiven and RenewedConsentGiven alone permit a mail. Two rules stand above
all: a no takes effect whenever it arrives, a yes only if it is younger than the last no; and an import never
overrides a no.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from schemas.consent import EVERY_PURPOSE
from workers.domain.purposes import Purpose
from workers.errors import RefusalCode, Refused


class Status(StrEnum):
    """The statuses of a consent, by their DPV 2.3 terms."""

    REQUESTED = "ConsentRequested"
    GIVEN = "ConsentGiven"
    RENEWED = "RenewedConsentGiven"
    REFUSED = "ConsentRefused"
    WITHDRAWN = "ConsentWithdrawn"
    EXPIRED = "ConsentExpired"
    INVALIDATED = "ConsentInvalidated"


VALID: Final = frozenset((Status.GIVEN, Status.RENEWED))
_SAID_NO: Final = frozenset((Status.REFUSED, Status.WITHDRAWN, Status.INVALIDATED))


class Kind(StrEnum):
    """What happened; `event_type` of the history is `consent.<kind>`."""

    GIVEN = "given"
    CONFIRMED = "confirmed"
    RENEWED = "renewed"
    IMPORTED = "imported"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"
    OBJECTION = "objection"
    COMPLAINT = "complaint"
    HARD_BOUNCE = "hard_bounce"
    EXPIRED = "expired"
    RENEWAL_REQUESTED = "renewal_requested"


class Entity(StrEnum):
    """Who says so."""

    SUBJECT = "subject"
    UPSTREAM = "upstream"
    STAFF = "staff"
    LETHE = "lethe"


class SuppressionReason(StrEnum):
    """Why an address must not be written to; the later ones are the stronger ones."""

    HARD_BOUNCE = "hard_bounce"
    WITHDRAWN = "withdrawn"
    COMPLAINT = "complaint"
    OBJECTION = "objection"


_STRENGTH: Final = {reason: strength for strength, reason in enumerate(SuppressionReason)}
_PERSON_ALONE: Final = frozenset((SuppressionReason.COMPLAINT, SuppressionReason.OBJECTION))
ENDINGS: Final[Mapping[Kind, SuppressionReason]] = MappingProxyType(
    {
        Kind.WITHDRAWN: SuppressionReason.WITHDRAWN,
        Kind.REFUSED: SuppressionReason.WITHDRAWN,
        Kind.OBJECTION: SuppressionReason.OBJECTION,
        Kind.COMPLAINT: SuppressionReason.COMPLAINT,
        Kind.HARD_BOUNCE: SuppressionReason.HARD_BOUNCE,
    }
)
"""The kinds that end a consent, and the reason under which they suppress the address."""
_OF_THE_ADDRESS: Final = frozenset((Kind.OBJECTION, Kind.COMPLAINT, Kind.HARD_BOUNCE))


class Suppression(NamedTuple):
    """A no that outlives record, contact and person. `since` is the time of the latest one."""

    reason: SuppressionReason
    since: datetime


class ConsentChange(NamedTuple):
    """One consent event, wherever it comes from. Either `email` or `contact_id` says whose consent it is.

    `purpose` is `*` for all of them, where it ends consent. `privacy_notice` is the version that was shown, None
    where nothing was. `double_opt_in`: whoever says so has a proof of the person's confirmation in `evidence`.
    `reference_hash` is that of the shop's customer reference, None where the person came by themselves.
    """

    kind: Kind
    purpose: str
    entity: Entity
    collection_method: str
    event_time: datetime
    email: str | None = None
    contact_id: int | None = None
    language: str | None = None
    privacy_notice: str | None = None
    evidence: Mapping[str, Any] = MappingProxyType({})
    double_opt_in: bool = False
    reference_hash: bytes | None = None


class Record(NamedTuple):
    """The consent of one address for one purpose as it stands. `expires_at` is None unless it is valid."""

    status: Status
    privacy_notice: str
    changed_at: datetime
    expires_at: datetime | None = None
    renewal_requested_at: datetime | None = None


class Effect(StrEnum):
    """What follows from a decision beside the record."""

    ASK = "ask"
    """Ask the person by mail to confirm."""
    ASK_RENEWAL = "ask_renewal"
    """Ask the person by mail to renew."""
    TELL_VALID = "tell_valid"
    """Tell the person by mail that nothing is left to do."""
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"
    OWN_CONTACT = "own_contact"
    """The person was in contact of their own accord: expiry counts from here."""


class Decision(NamedTuple):
    """The record afterwards (None: there is none), whether the event belongs into its history, and what follows."""

    record: Record | None
    recorded: bool
    effects: frozenset[Effect] = frozenset()


class Situation(NamedTuple):
    """What a decision depends on. `at` is the event's time, never after `now`."""

    record: Record | None
    suppression: Suppression | None
    change: ConsentChange
    purpose: Purpose | None
    at: datetime
    now: datetime
    valid_for: timedelta


def decide(
    record: Record | None,
    suppression: Suppression | None,
    change: ConsentChange,
    purpose: Purpose | None,
    now: datetime,
    valid_for: timedelta,
) -> Decision:
    """The decision for one event on one record. `suppression` is the one in force for this purpose.

    `purpose` may be None for events that end a consent: a no to a purpose that is no longer declared counts.
    Raises Refused when the event cannot be carried out; nothing has happened then.
    """
    at = min(change.event_time, now)
    situation = Situation(record, suppression, change, purpose, at, now, valid_for)
    return _RULES[change.kind](situation)


def scope(change: ConsentChange) -> str:
    """The purpose that an ending suppresses: some things are said about the address, not about one purpose."""
    return EVERY_PURPOSE if change.kind in _OF_THE_ADDRESS else change.purpose


def stronger(one: Suppression | None, other: Suppression | None) -> Suppression | None:
    """Both as one: the stronger reason, the later time."""
    if one is None or other is None:
        return one or other
    return Suppression(max(one.reason, other.reason, key=_STRENGTH.__getitem__), max(one.since, other.since))


def _given(situation: Situation) -> Decision:
    record, suppression, change, purpose, at, _, _ = situation
    assert purpose is not None
    said_no_at = _said_no_at(record, suppression)
    if said_no_at is not None and at <= said_no_at:
        return Decision(record, recorded=record is not None)
    if record is not None and record.status in VALID and at < record.changed_at:
        return Decision(record, recorded=True)
    blocked = suppression is not None and suppression.reason in _PERSON_ALONE
    proven = change.double_opt_in and not blocked
    needs_asking = not proven and (purpose.needs_double_opt_in or suppression is not None)
    if record is not None and record.status in VALID and needs_asking:
        by_person = change.entity is Entity.SUBJECT
        return Decision(record, True, frozenset((Effect.TELL_VALID,) if by_person else ()))
    if needs_asking:
        asked = Record(Status.REQUESTED, _notice(situation), _later(record, at))
        return Decision(asked, True, frozenset((Effect.ASK,)))
    return _valid(situation, Status.GIVEN)


def _confirmed(situation: Situation) -> Decision:
    record, suppression, change = situation.record, situation.suppression, situation.change
    if record is None or record.status not in VALID | {Status.REQUESTED}:
        raise Refused(
            RefusalCode.CONSENT_STATE,
            "no confirmation was asked for, or the person has said no since; publish consent.given first",
        )
    said_no_at = _said_no_at(record, suppression)
    if said_no_at is not None and situation.at <= said_no_at:
        return Decision(record, recorded=True)  # it confirms what that no has ended
    if record.status is Status.REQUESTED:
        by_person = change.entity is Entity.SUBJECT
        if not by_person and suppression is not None and suppression.reason in _PERSON_ALONE:
            raise Refused(
                RefusalCode.CONSENT_STATE,
                "the person has complained or objected: only their own confirmation counts, by the link in the mail",
            )
        return _valid(situation, Status.GIVEN)
    if record.renewal_requested_at is not None:
        return _valid(situation, Status.RENEWED)
    return Decision(record, True, frozenset((Effect.OWN_CONTACT,)))


def _renewed(situation: Situation) -> Decision:
    if situation.record is None or situation.record.status not in VALID:
        raise Refused(RefusalCode.CONSENT_STATE, "there is no valid consent to renew")
    return _valid(situation, Status.RENEWED)


def _imported(situation: Situation) -> Decision:
    record, suppression, change, purpose, at, now, valid_for = situation
    assert purpose is not None
    said_no_at = _said_no_at(record, suppression)
    if said_no_at is not None:
        why = suppression.reason.replace("_", " ") if suppression is not None else "said no"
        raise Refused(
            RefusalCode.CONSENT_STATE,
            f"this address is suppressed ({why}, {said_no_at:%Y-%m-%d}); an import never overrides that",
        )
    if record is not None and record.status in VALID:
        return Decision(record, recorded=False)
    if record is not None and record.status is Status.EXPIRED and at <= record.changed_at:
        raise Refused(RefusalCode.CONSENT_STATE, "this consent has expired; a younger one is needed")
    if at + valid_for <= now:
        raise Refused(RefusalCode.CONSENT_STATE, "this consent is too old to be valid", "consented_at")
    if purpose.needs_double_opt_in and not change.double_opt_in:
        raise Refused(
            RefusalCode.CONSENT_STATE, "this purpose needs a double opt-in: say when it was confirmed", "confirmed_at"
        )
    return _valid(situation, Status.GIVEN)


def _ended(situation: Situation) -> Decision:
    record, change = situation.record, situation.change
    when = _later(record, situation.at)
    if record is not None and record.status in _SAID_NO:
        status = record.status
    elif change.kind is Kind.HARD_BOUNCE:
        status = Status.INVALIDATED
    elif change.kind is Kind.REFUSED and (record is None or record.status is Status.REQUESTED):
        status = Status.REFUSED
    else:
        status = Status.WITHDRAWN
    return Decision(Record(status, _notice(situation), when), True, frozenset((Effect.SUPPRESS,)))


def _expired(situation: Situation) -> Decision:
    record = situation.record
    if record is None or record.status not in VALID or record.expires_at is None or record.expires_at > situation.now:
        return Decision(record, recorded=False)
    return Decision(Record(Status.EXPIRED, record.privacy_notice, situation.now), True)


def _renewal_requested(situation: Situation) -> Decision:
    record = situation.record
    if record is None or record.status not in VALID or record.renewal_requested_at is not None:
        return Decision(record, recorded=False)
    return Decision(record._replace(renewal_requested_at=situation.now), True, frozenset((Effect.ASK_RENEWAL,)))


def _valid(situation: Situation, status: Status) -> Decision:
    """The consent holds from now on, and for as long as the person was last heard of."""
    at, record = situation.at, situation.record
    expires_at = at + situation.valid_for
    if record is not None and record.expires_at is not None:
        expires_at = max(expires_at, record.expires_at)
    if expires_at <= situation.now:
        raise Refused(RefusalCode.CONSENT_STATE, "this consent is too old to be valid")
    effects = {Effect.OWN_CONTACT}
    if situation.suppression is not None:
        effects.add(Effect.UNSUPPRESS)
    return Decision(Record(status, _notice(situation), _later(record, at), expires_at), True, frozenset(effects))


def _said_no_at(record: Record | None, suppression: Suppression | None) -> datetime | None:
    times = [record.changed_at] if record is not None and record.status in _SAID_NO else []
    if suppression is not None:
        times.append(suppression.since)
    return max(times, default=None)


def _later(record: Record | None, at: datetime) -> datetime:
    """A record's time never goes back: an event that comes late counts from when the record last changed."""
    return at if record is None else max(at, record.changed_at)


def _notice(situation: Situation) -> str:
    if situation.change.privacy_notice is not None:
        return situation.change.privacy_notice
    return situation.record.privacy_notice if situation.record is not None else "none"


_RULES: Final[Mapping[Kind, Callable[[Situation], Decision]]] = {
    Kind.GIVEN: _given,
    Kind.CONFIRMED: _confirmed,
    Kind.RENEWED: _renewed,
    Kind.IMPORTED: _imported,
    Kind.EXPIRED: _expired,
    Kind.RENEWAL_REQUESTED: _renewal_requested,
    **dict.fromkeys(ENDINGS, _ended),
}
