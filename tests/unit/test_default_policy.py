"""The policy that Lethe comes with: each promise stands in it, in each language, and it says nothing in two tongues."""

import re
from datetime import UTC, datetime

import pytest

from tests.support.lethe import ROOT
from workers import policies

POLICIES = policies.load(ROOT / "deploy/policies", "Europe/Paris")
PROMISES = {
    "en": [
        "name, your postal address and your e-mail address", "unsubscribe", "do not sell your data", "court",
        "see what we hold about you", "have everything about you erased", "encrypted", "card number",
        "we write to you before", "A person reads and answers",
    ],
    "fr": [
        "votre nom, votre adresse postale et votre adresse électronique", "désinscription", "ne vendons pas",
        "tribunal",
        "voir ce que nous gardons sur vous", "faire effacer tout ce qui vous concerne", "chiffrées", "numéro de carte",
        "nous vous écrivons avant", "Une personne lit et répond",
    ],
}  # fmt: skip


@pytest.mark.parametrize("language", PROMISES)
def test_every_promise_stands_in_it(language: str) -> None:
    policy = POLICIES.effective(datetime(2026, 6, 1, tzinfo=UTC), language)
    assert policy is not None
    assert policy.language == language
    assert [promise for promise in PROMISES[language] if promise not in " ".join(policy.text.split())] == []


def test_both_languages_have_the_same_sections() -> None:
    shapes = [re.findall(r"^#+", one.text, re.MULTILINE) for one in (POLICIES.versions("en") + POLICIES.versions("fr"))]
    assert shapes[0] == shapes[1]
