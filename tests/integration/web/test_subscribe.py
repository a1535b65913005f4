"""Sign-up and confirmation: nothing begins before the person's own click, and nobody learns who is known."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.website import Website, fresh_source
from workers.mail.links import unsubscribe_token
from workers.web import pace


def _confirm_path(site: Website, email: str) -> str:
    return site.letters(email, "confirm_subscription")[-1].path


def test_a_sign_up_counts_once_it_is_confirmed(site: Website) -> None:
    email = "first@example.com"
    assert site.sign_up(email).status == 200
    assert site.statuses(email) == {"newsletter": "ConsentRequested"}
    path = _confirm_path(site, email)
    page = site.get(path)
    assert page.status == 200
    assert "Weekly newsletter" in page.text
    assert email not in page.text
    assert site.post(path).status == 200
    assert site.statuses(email) == {"newsletter": "ConsentGiven"}


def test_two_boxes_are_one_mail_whose_link_confirms_both(site: Website) -> None:
    email = "both@example.com"
    site.sign_up(email, "newsletter", "support", language="fr")
    (letter,) = site.letters(email)
    assert letter.values["purpose"] == "Lettre hebdomadaire et Conseils pour vos impressions"
    page = site.get(f"/en{letter.path}")
    assert "Weekly newsletter and Tips about your prints" in page.text
    assert set(site.statuses(email).values()) == {"ConsentRequested"}
    assert "Weekly newsletter and Tips about your prints" in site.post(f"/en{letter.path}").text
    assert site.statuses(email) == {"newsletter": "ConsentGiven", "support": "ConsentGiven"}
    assert site.post(letter.path).status == 410


def test_a_no_to_one_of_two_leaves_the_link_to_the_other(site: Website) -> None:
    email = "one-of-two@example.com"
    site.sign_up(email, "newsletter", "support")
    (letter,) = site.letters(email)
    assert site.post(f"/u/{unsubscribe_token(site.ring, site.contact_id(email), 'newsletter')}").status == 200
    page = site.get(f"/en{letter.path}")
    assert page.status == 200
    assert "Tips about your prints" in page.text
    assert "Weekly newsletter" not in page.text
    assert site.post(letter.path).status == 200
    assert site.statuses(email) == {"newsletter": "ConsentWithdrawn", "support": "ConsentGiven"}


def test_what_was_shown_is_kept_with_the_consent(site: Website) -> None:
    email = "evidence@example.com"
    site.sign_up(email, language="fr", X_Forwarded_For="203.0.113.77")
    site.post(_confirm_path(site, email))
    rows = site.rows(
        "select event_type, collection_method, entity, language, evidence from consent_events "
        "join consents using (record_id) where contact_id = $1 order by consent_event_id",
        site.contact_id(email),
    )
    assert [tuple(row.values())[:4] for row in rows] == [
        ("consent.given", "web_form", "subject", "fr"),
        ("consent.confirmed", "confirmation_link", "subject", "fr"),
    ]
    assert all(row["evidence"] and b"203.0.113.77" not in row["evidence"] for row in rows)


def test_mail_scanners_may_open_the_link_as_often_as_they_like(site: Website) -> None:
    email = "scanned@example.com"
    site.sign_up(email)
    path = _confirm_path(site, email)
    before = site.everything()
    for method in ("GET", "HEAD", "GET", "OPTIONS", "GET"):
        site.send(method, path, None, {})
    assert site.get(f"/fr{path}").status == 200
    assert site.everything() == before
    assert site.post(path).status == 200


def test_a_link_works_once(site: Website) -> None:
    email = "once@example.com"
    site.sign_up(email)
    path = _confirm_path(site, email)
    with ThreadPoolExecutor(4) as visitors:
        answers = list(visitors.map(lambda _: site.post(path).status, range(4)))
    assert sorted(answers) == [200, 410, 410, 410]
    assert site.get(path).status == 410
    assert "has been used" in site.get(path).text


def test_an_expired_link_changes_nothing(site: Website) -> None:
    email = "late@example.com"
    site.sign_up(email)
    path = _confirm_path(site, email)
    site.rows("update tokens set expires_at = now() where contact_id = $1 returning 1", site.contact_id(email))
    answer = site.post(path)
    assert (answer.status, site.get(path).status) == (410, 410)
    assert "has expired" in answer.text
    assert site.statuses(email) == {"newsletter": "ConsentRequested"}


@pytest.mark.parametrize("token", ["x", "A" * 32, "A" * 5000, "%00", "%ff%fe", "..%2f..%2fetc"])
def test_a_made_up_link_is_no_page(site: Website, token: str) -> None:
    assert site.get(f"/confirm/{token}").status == 404
    assert site.post(f"/confirm/{token}").status == 404


def test_who_has_said_no_meanwhile_is_not_signed_up_by_the_old_link(site: Website) -> None:
    email = "changed-mind@example.com"
    site.subscribe(email)
    site.sign_up(email, "support")
    old = _confirm_path(site, email)
    site.post("/unsubscribe", {"email": email})
    assert site.post(site.letters(email)[-1].path, {"action": "stop"}).status == 200
    assert site.post(old).status == 410
    assert set(site.statuses(email).values()) == {"ConsentWithdrawn"}


def test_every_address_gets_the_same_answer(site: Website) -> None:
    site.subscribe("known@example.com")
    site.sign_up("asked@example.com")
    gone = site.subscribe("gone@example.com")
    site.rows("update consents set status = 'ConsentWithdrawn' where contact_id = $1 returning 1", gone)
    fenced = site.subscribe("fenced@example.com")
    site.rows(
        "update subjects set fenced_at = now() where subject_id = (select subject_id from contacts where "
        "contact_id = $1) returning 1",
        fenced,
    )
    names = ("known", "asked", "gone", "fenced", "unknown")
    answers = [site.sign_up(f"{name}@example.com") for name in names]
    asked = [site.post("/unsubscribe", {"email": f"{name}@example.com"}) for name in names]
    for same in (answers, asked):
        assert {one.status for one in same} == {200}
        assert len({one.text for one in same}) == 1
        assert len({tuple(sorted((k, v) for k, v in one.headers.items() if k != "date")) for one in same}) == 1
    site.rows("update subjects set fenced_at = null returning 1")


def test_no_answer_leaves_before_its_beat(site: Website) -> None:
    site.subscribe("beat@example.com")
    for path in ("/subscribe", "/unsubscribe"):
        for email in ("beat@example.com", "no-beat@example.com", "no address"):
            began_s = time.monotonic()
            site.post(path, {"email": email, "purpose.newsletter": "yes"})
            assert time.monotonic() - began_s >= pace.BEAT_S


def test_an_address_gets_few_mails_whoever_asks(site: Website) -> None:
    email = "flooded@example.com"
    answers = [site.sign_up(email) for _ in range(6)]
    assert {one.status for one in answers} == {200}
    assert len({one.text for one in answers}) == 1
    assert len(site.letters(email)) == 3


def test_a_source_can_send_few_forms_for_whatever_addresses(site: Website) -> None:
    source = fresh_source()
    statuses = [
        site.sign_up(f"many{number}@example.com", X_Forwarded_For=f"6.6.6.{number}, {source}").status
        for number in range(22)
    ]
    assert statuses == [200] * 20 + [429] * 2
    assert site.sign_up("other@example.com").status == 200
    assert site.post("/unsubscribe", {"email": "x@example.com"}, X_Forwarded_For=source).status == 429


def test_a_household_of_ipv6_is_one_source(site: Website) -> None:
    statuses = [
        site.post("/unsubscribe", {"email": "nobody@example.com"}, X_Forwarded_For=f"2001:db8:1:2::{number:x}").status
        for number in range(21)
    ]
    assert statuses == [200] * 20 + [429]
    assert site.post("/unsubscribe", {"email": "n@example.com"}, X_Forwarded_For="2001:db8:1:3::1").status == 200


def test_a_machine_that_fills_in_every_field_is_answered_as_a_person_and_changes_nothing(site: Website) -> None:
    person = site.sign_up("person@example.com")
    machine = site.post(
        "/en/subscribe", {"email": "machine@example.com", "purpose.newsletter": "yes", "website": "http://spam.example"}
    )
    assert (machine.status, machine.text) == (person.status, person.text)
    assert site.statuses("machine@example.com") == {}
    assert site.letters("machine@example.com") == []


def test_another_site_cannot_sign_its_visitors_up(site: Website) -> None:
    assert site.sign_up("victim@example.com", Sec_Fetch_Site="cross-site").status == 403
    assert site.statuses("victim@example.com") == {}
    assert site.sign_up("customer@example.com", Sec_Fetch_Site="same-site").status == 200


@pytest.mark.parametrize(
    ("email", "boxes", "said"),
    [
        ("", {"purpose.newsletter": "yes"}, "Please enter an e-mail address"),
        ("no address", {"purpose.newsletter": "yes"}, "Please enter an e-mail address"),
        ("a@example.com\r\nBcc: b@example.com", {"purpose.newsletter": "yes"}, "Please enter an e-mail address"),
        ("a\x00@example.com", {"purpose.newsletter": "yes"}, "Please enter an e-mail address"),
        ("a" * 400 + "@example.com", {"purpose.newsletter": "yes"}, "Please enter an e-mail address"),
        ("a@example.com", {}, "Please choose at least one"),
        ("a@example.com", {"purpose.gambling": "yes"}, "Please choose at least one"),
    ],
)
def test_what_is_missing_is_said_and_nothing_happens(
    site: Website, email: str, boxes: dict[str, str], said: str
) -> None:
    before = site.rows("select count(*) from contacts")
    answer = site.post("/en/subscribe", {"email": email, **boxes})
    assert answer.status == 400
    assert said in answer.text
    assert "<title>Error: Subscribe" in answer.text
    assert site.rows("select count(*) from contacts") == before


def test_what_was_entered_comes_back_as_text_only(site: Website) -> None:
    answer = site.post("/en/subscribe", {"email": '"><script>alert(1)</script>'})
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
