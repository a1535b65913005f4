"""Leaving: by one click in the mail program, by a page, by an address; at once, and no further than the link goes."""

import pytest

from tests.support.website import Website
from workers.mail.links import unsubscribe_token

_ONE_CLICK = {"List-Unsubscribe": "One-Click"}
_BOUNDARY = "----x"
_MULTIPART = (
    f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--{_BOUNDARY}--\r\n'
).encode()


def _link(site: Website, contact_id: int, purpose: str = "newsletter") -> str:
    return f"/u/{unsubscribe_token(site.ring, contact_id, purpose)}"


def test_one_click_ends_the_subscription_at_once(site: Website) -> None:
    email = "one-click@example.com"
    link = _link(site, site.subscribe(email))
    answer = site.post(link, _ONE_CLICK)
    assert answer.status == 200
    assert {"set-cookie", "location"}.isdisjoint(answer.headers)
    assert site.statuses(email) == {"newsletter": "ConsentWithdrawn"}
    assert site.suppressions(email) == {"newsletter": "withdrawn"}
    assert site.post(link, _ONE_CLICK).status == 200


@pytest.mark.parametrize(
    ("name", "content_type", "body"),
    [
        ("multipart", f"multipart/form-data; boundary={_BOUNDARY}", _MULTIPART),
        ("json", "application/json", b"{"),
        ("nothing", "text/plain", b""),
        ("broken", "multipart/form-data; boundary=other", _MULTIPART),
        ("binary", "application/x-www-form-urlencoded", b"\xff\xfe=%zz&&&"),
    ],
)
def test_whatever_body_a_provider_sends(site: Website, name: str, content_type: str, body: bytes) -> None:
    email = f"{name}@example.com"
    link = _link(site, site.subscribe(email))
    assert site.send("POST", link, body, {"Content-Type": content_type}).status == 200
    assert site.statuses(email) == {"newsletter": "ConsentWithdrawn"}


def test_looking_at_the_page_changes_nothing(site: Website) -> None:
    link = _link(site, site.subscribe("looked@example.com"))
    before = site.everything()
    for method in ("GET", "HEAD", "GET"):
        assert site.send(method, link, None, {}).status == 200
    assert site.everything() == before


def test_the_page_is_the_same_whatever_became_of_the_subscription(site: Website) -> None:
    contact_id = site.subscribe("forwarded@example.com", "newsletter", "support")
    link = _link(site, contact_id)
    subscribed, unknown = site.get(link), site.get(_link(site, 10**9))
    site.post(link, _ONE_CLICK)
    left = site.get(link)
    assert subscribed.text.replace(link, "") == left.text.replace(link, "")
    assert subscribed.status == unknown.status == left.status
    for page in (subscribed, left, site.post(link, _ONE_CLICK)):
        assert "forwarded" not in page.text
        assert "Tips about your prints" not in page.text


def test_a_forwarded_link_ends_that_one_subscription_and_no_other(site: Website) -> None:
    email = "two@example.com"
    contact_id = site.subscribe(email, "newsletter", "support")
    site.post(_link(site, contact_id), {**_ONE_CLICK, "purpose.support": "", "action": "stop"})
    assert site.statuses(email) == {"newsletter": "ConsentWithdrawn", "support": "ConsentGiven"}


def test_a_changed_link_does_nothing(site: Website) -> None:
    email = "forged@example.com"
    link = _link(site, site.subscribe(email))
    flipped = link[:-1] + ("A" if link[-1] != "A" else "E")
    for forged in (flipped, link[:-4], link + "AAAA", "/u/x", f"/preferences/{link[3:]}", f"/confirm/{link[3:]}"):
        assert site.get(forged).status == 404
        assert site.post(forged, _ONE_CLICK).status == 404
    assert site.statuses(email) == {"newsletter": "ConsentGiven"}


def test_an_unknown_contact_is_unsubscribed_already(site: Website) -> None:
    assert site.post(_link(site, 10**9), _ONE_CLICK).status == 200


def test_how_it_was_ended_is_written_down(site: Website) -> None:
    contact_id = site.subscribe("written@example.com")
    site.post(_link(site, contact_id), {**_ONE_CLICK, "page": "yes"})
    (row,) = site.rows(
        "select collection_method, entity from consent_events join consents using (record_id) "
        "where contact_id = $1 and event_type = 'consent.withdrawn'",
        contact_id,
    )
    assert tuple(row.values()) == ("unsubscribe_page", "subject")


def test_without_a_mail_a_link_comes_to_the_mailbox_alone(site: Website) -> None:
    email = "no-mail@example.com"
    site.subscribe(email, "newsletter", "support")
    answer = site.post("/unsubscribe", {"email": " No-Mail@Example.com "})
    (letter,) = site.letters(email, "preferences_link")
    assert letter.path.rpartition("/")[2] not in answer.text
    page = site.get(letter.path)
    assert page.text.count(" checked") == 2
    assert email not in page.text
    assert site.post(letter.path, {"purpose.support": "yes", "action": "save"}).status == 200
    assert site.statuses(email) == {"newsletter": "ConsentWithdrawn", "support": "ConsentGiven"}


def test_an_unknown_address_gets_no_mail(site: Website) -> None:
    site.post("/unsubscribe", {"email": "unknown@example.com"})
    assert site.letters("unknown@example.com") == []
    assert site.rows("select count(*) as n from tokens where kind = 'preferences' and contact_id is null")[0]["n"] == 0


def test_an_address_gets_few_links_a_day(site: Website) -> None:
    email = "links@example.com"
    site.subscribe(email)
    texts = {site.post("/unsubscribe", {"email": email}).text for _ in range(5)}
    assert len(texts) == 1
    assert len(site.letters(email, "preferences_link")) == 3


def _preferences(site: Website, email: str) -> str:
    site.post("/unsubscribe", {"email": email})
    return site.letters(email, "preferences_link")[-1].path


def test_looking_at_the_choices_changes_nothing(site: Website) -> None:
    email = "choices@example.com"
    site.subscribe(email)
    path = _preferences(site, email)
    before = site.everything()
    for method in ("GET", "HEAD", "GET"):
        assert site.send(method, path, None, {}).status == 200
    assert site.everything() == before


def test_choices_can_be_saved_once(site: Website) -> None:
    email = "saved-once@example.com"
    site.subscribe(email)
    path = _preferences(site, email)
    assert site.post(path, {"purpose.newsletter": "yes", "purpose.support": "yes", "action": "save"}).status == 200
    assert site.statuses(email) == {"newsletter": "ConsentGiven", "support": "ConsentGiven"}
    assert site.post(path, {"action": "stop"}).status == 410
    assert site.get(path).status == 410
    assert site.statuses(email) == {"newsletter": "ConsentGiven", "support": "ConsentGiven"}


def test_one_button_stops_everything(site: Website) -> None:
    email = "stop@example.com"
    site.subscribe(email, "newsletter", "support")
    answer = site.post(_preferences(site, email), {"purpose.newsletter": "yes", "action": "stop"})
    assert "nothing more" in answer.text
    assert set(site.statuses(email).values()) == {"ConsentWithdrawn"}
    assert site.suppressions(email) == {"*": "withdrawn"}


def test_an_expired_link_to_the_choices_changes_nothing(site: Website) -> None:
    email = "expired@example.com"
    contact_id = site.subscribe(email)
    path = _preferences(site, email)
    site.rows("update tokens set expires_at = now() where contact_id = $1 returning 1", contact_id)
    assert site.get(path).status == 410
    assert site.post(path, {"action": "stop"}).status == 410
    assert site.statuses(email) == {"newsletter": "ConsentGiven"}


def test_who_once_complained_says_yes_by_a_mail_of_their_own(site: Website) -> None:
    email = "complained@example.com"
    contact_id = site.subscribe(email)
    site.rows("update consents set status = 'ConsentWithdrawn' where contact_id = $1 returning 1", contact_id)
    site.rows(
        "insert into suppressions select $1, '*', 'complaint', now() - interval '1 hour' returning 1",
        site._hash("suppression", email),
    )
    answer = site.post(_preferences(site, email), {"purpose.newsletter": "yes", "action": "save"})
    assert "to confirm this first" in answer.text
    assert site.statuses(email) == {"newsletter": "ConsentRequested"}
