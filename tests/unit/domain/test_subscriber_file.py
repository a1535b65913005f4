"""A line of an import: what it needs, and what is refused in which words."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.orders import NOW
from workers.domain import subscriber_file
from workers.domain.consent import Kind
from workers.errors import Refused

LINE = {
    "email": "Erika@Example.com", "purpose": "newsletter", "consented_at": "2026-01-03T10:00:00+01:00",
    "confirmed_at": "2026-01-03T10:05:00+01:00", "collection_method": "web_form", "privacy_notice": "2026-01",
    "language": "en", "wording": "Send me news", "location": "", "source_address": "", "reference": "",
}  # fmt: skip


def test_a_line_is_a_change_with_its_evidence() -> None:
    change = subscriber_file.parse(LINE, NOW)
    assert (change.kind, change.email, change.double_opt_in) == (Kind.IMPORTED, "Erika@Example.com", True)
    assert change.event_time.isoformat() == "2026-01-03T10:05:00+01:00"
    assert change.evidence == {
        "wording": "Send me news",
        "consented_at": "2026-01-03T10:00:00+01:00",
        "confirmed_at": "2026-01-03T10:05:00+01:00",
    }


def test_without_a_confirmation_it_is_no_double_opt_in() -> None:
    change = subscriber_file.parse({**LINE, "confirmed_at": " "}, NOW)
    assert (change.double_opt_in, change.event_time.isoformat()) == (False, "2026-01-03T10:00:00+01:00")


@pytest.mark.parametrize(
    ("changed", "field", "reason"),
    [
        ({"email": ""}, "email", "is missing"),
        ({"email": "nobody"}, "email", "must be an e-mail address"),
        ({"purpose": "The newsletter"}, "purpose", "small letters"),
        ({"consented_at": ""}, "consented_at", "is missing"),
        ({"consented_at": "yesterday"}, "consented_at", "RFC 3339"),
        ({"consented_at": "2026-01-03T10:00:00"}, "consented_at", "zone"),
        ({"consented_at": (NOW + timedelta(days=1)).isoformat()}, "consented_at", "future"),
        ({"confirmed_at": (NOW + timedelta(days=1)).isoformat()}, "confirmed_at", "future"),
        ({"collection_method": "bought"}, "collection_method", "must be one of"),
        ({"privacy_notice": ""}, "privacy_notice", "is missing"),
        ({"language": "English"}, "language", ""),
        ({"wording": ""}, "reference", "nothing shows this consent"),
        ({"wording": "a\u202eb"}, "wording", "invisible character"),
    ],
)
def test_what_is_missing_or_wrong_is_named_by_its_column(changed: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        subscriber_file.parse({**LINE, **changed}, NOW)
    assert refused.value.field == field
    assert reason in refused.value.reason
    for value in changed.values():
        assert not value or value not in refused.value.reason
    assert refused.value.__context__ is None or refused.value.__suppress_context__
