"""What must hold about consent, told from the events alone and without the domain's help."""

from collections.abc import Sequence
from datetime import datetime

from tests.model.consents import VALID_FOR
from tests.model.database import Said
from workers.domain.consent import Entity, Kind

NO = frozenset((Kind.WITHDRAWN, Kind.REFUSED, Kind.OBJECTION, Kind.COMPLAINT, Kind.HARD_BOUNCE))
_ABOUT_THE_ADDRESS = frozenset((Kind.OBJECTION, Kind.COMPLAINT, Kind.HARD_BOUNCE))
_PERSONAL = frozenset((Kind.OBJECTION, Kind.COMPLAINT))
_YES = frozenset((Kind.GIVEN, Kind.CONFIRMED, Kind.IMPORTED, Kind.RENEWED))


def is_agreed(said: Sequence[Said], email: str, purpose: str, needs_double_opt_in: bool) -> bool:
    """Whether a yes is there that no later no has ended, and that was proven as it must be."""
    about = [one for one in said if one.email == email]
    noes = [(place, one) for place, one in enumerate(about) if _ends(one, purpose)]
    last = noes[-1][0] if noes else -1
    yes = [one for one in about[last + 1 :] if one.change.purpose == purpose and one.change.kind in _YES]
    if not noes:
        return any(_is_proven(yes, place, needs_double_opt_in) for place in range(len(yes)))
    said_no_at = max(_at(one) for _, one in noes)
    younger = [one for one in yes if one.change.kind is not Kind.IMPORTED and _at(one) > said_no_at]
    kind = about[last].change.kind
    if kind in _PERSONAL:
        return any(one.change.kind is Kind.CONFIRMED and one.change.entity is Entity.SUBJECT for one in younger)
    needs = needs_double_opt_in or kind is not Kind.HARD_BOUNCE
    return any(_is_proven(younger, place, needs) for place in range(len(younger)))


def was_heard_of(said: Sequence[Said], email: str, now: datetime) -> bool:
    """Whether the person was in contact so lately that a consent can still be valid."""
    return any(one.email == email and one.change.kind in _YES and _at(one) + VALID_FOR > now for one in said)


def _is_proven(yes: Sequence[Said], place: int, needs_double_opt_in: bool) -> bool:
    one = yes[place].change
    if one.kind is Kind.CONFIRMED:
        return any(before.change.kind in (Kind.GIVEN, Kind.IMPORTED) for before in yes[:place])
    return one.kind in (Kind.GIVEN, Kind.IMPORTED) and (one.double_opt_in or not needs_double_opt_in)


def _ends(one: Said, purpose: str) -> bool:
    change = one.change
    if change.kind not in NO:
        return False
    return change.kind in _ABOUT_THE_ADDRESS or change.purpose in (purpose, "*")


def _at(one: Said) -> datetime:
    return min(one.change.event_time, one.recorded_at)
