"""A question reaches the shop and is acknowledged; nobody can use the form against somebody else."""

from tests.support.website import Website, fresh_source

SHOP = "privacy@shop.example"


def _ask(site: Website, email: str, question: str = "Where is my lamp?", **headers: str) -> int:
    return site.post("/en/contact", {"email": email, "question": question}, **headers).status


def _references(site: Website, question: str) -> list[str]:
    return [one.values["reference"] for one in site.letters(SHOP) if one.values["question"] == question]


def test_a_question_reaches_the_shop_and_is_acknowledged(site: Website) -> None:
    assert _ask(site, "asks@example.com", "Where is my lamp?") == 200
    (reference,) = _references(site, "Where is my lamp?")
    (mail,) = site.letters("asks@example.com")
    assert mail.template == "contact_acknowledged"
    assert mail.values["reference"] == reference
    assert "lamp" not in str(mail.values)


def test_every_question_arrives_though_few_are_acknowledged(site: Website) -> None:
    for number in range(5):
        assert _ask(site, "often@example.com", f"Question {number}?") == 200
    assert all(_references(site, f"Question {number}?") for number in range(5))
    assert len(site.letters("often@example.com")) == 3


def test_a_source_can_ask_so_much(site: Website) -> None:
    source = fresh_source()
    statuses = [_ask(site, f"q{number}@example.com", X_Forwarded_For=source) for number in range(21)]
    assert statuses == [200] * 20 + [429]


def test_what_is_missing_is_said(site: Website) -> None:
    answer = site.post("/en/contact", {"email": "nobody", "question": " \x00 "})
    assert answer.status == 400
    assert "Please enter an e-mail address" in answer.text
    assert "Please write your question" in answer.text


def test_a_card_number_is_not_kept(site: Website) -> None:
    before = len(site.letters(SHOP))
    answer = site.post("/en/contact", {"email": "card@example.com", "question": "My card is 4111 1111 1111 1111"})
    assert answer.status == 400
    assert "4111" not in answer.text
    assert "card number" in answer.text
    assert len(site.letters(SHOP)) == before


def test_somebody_who_is_being_erased_is_heard(site: Website) -> None:
    email = "erased@example.com"
    _ask(site, email, "First?")
    site.rows("update subjects set fenced_at = now() returning 1")
    assert _ask(site, email, "Am I erased?") == 200
    site_fenced = site.rows(
        "select count(*) as n from mails join subjects using (subject_id) where fenced_at is null and template = "
        "'contact_question'"
    )
    site.rows("update subjects set fenced_at = null returning 1")
    assert site_fenced[0]["n"] == 1
    assert _references(site, "Am I erased?")


def test_a_machine_is_answered_and_not_heard(site: Website) -> None:
    before = len(site.letters(SHOP))
    form = {"email": "machine@example.com", "question": "Buy now", "website": "http://spam.example"}
    assert site.post("/en/contact", form).status == 200
    assert len(site.letters(SHOP)) == before


def test_another_site_cannot_ask_in_a_visitors_name(site: Website) -> None:
    assert _ask(site, "victim@example.com", Sec_Fetch_Site="cross-site") == 403
