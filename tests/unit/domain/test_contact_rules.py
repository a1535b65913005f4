"""When phone and e-mail may go, route by route."""

import pytest

from workers.domain.contact_rules import RULES, Route, Sending

HOME = Route("DE", "DE")
ABROAD = Route("DE", "FR")
LISTED = Route("DE", "US", frozenset({"US"}))


@pytest.mark.parametrize(
    ("rule", "home", "abroad", "listed"),
    [
        ("never", Sending.NEVER, Sending.NEVER, Sending.NEVER),
        ("with_consent", Sending.WITH_CONSENT, Sending.WITH_CONSENT, Sending.WITH_CONSENT),
        ("required", Sending.REQUIRED, Sending.REQUIRED, Sending.REQUIRED),
        ("with_consent_outside_origin", Sending.NEVER, Sending.WITH_CONSENT, Sending.WITH_CONSENT),
        ("required_cross_border", Sending.NEVER, Sending.REQUIRED, Sending.REQUIRED),
        ("required_to_listed", Sending.WITH_CONSENT, Sending.WITH_CONSENT, Sending.REQUIRED),
    ],
)
def test_rule(rule: str, home: Sending, abroad: Sending, listed: Sending) -> None:
    assert (RULES[rule](HOME), RULES[rule](ABROAD), RULES[rule](LISTED)) == (home, abroad, listed)


def test_every_rule_is_told_above() -> None:
    table = next(mark for mark in test_rule.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]  # set by the decorator

    assert {case[0] for case in table.args[1]} == set(RULES)
