"""Every flow of the postbox, from the LMTP conversation to what the person's consent says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import mail_samples as samples
from tests.support.endpoints import Endpoints
from tests.support.mail_samples import sample
from tests.support.mailbox import Postbox, postbox, question

BOUNCES, CONTACT = "bounces@shop.example", "privacy@shop.example"


@pytest.fixture(scope="module")
def box(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postbox]:
    with postbox(stack, tmp_path_factory.mktemp("postbox")) as (running, _):
        yield running


def about(box: Postbox, template: str, mail_id: int, **more: str) -> bytes:
    """A report about one of our mails, quoting it."""
    return sample(template, message_id=box.message_id(mail_id), return_path=box.return_path(mail_id), **more)


@pytest.mark.parametrize("name", ["POSTFIX", "EXIM", "EXIM_IN_WORDS", "EXCHANGE", "GMAIL", "QMAIL"])
def test_a_bounce_ends_what_was_agreed_and_suppresses_the_address(box: Postbox, name: str) -> None:
    email = f"gone-{name.lower()}@example.com"
    box.subscribe(email, "newsletter", "support")
    mail_id = box.post(email, purpose="newsletter")
    mail = box.sorted_mail(sample(getattr(samples, name), to=email), box.return_path(mail_id), sender="")
    assert (mail["state"], mail["flow"], mail["outcome"], mail["mail_id"]) == (
        "sorted",
        "bounce",
        "hard_bounce",
        mail_id,
    )
    assert box.statuses(email) == {"newsletter": "ConsentInvalidated", "support": "ConsentInvalidated"}
    assert box.suppressions(email) == {"*": "hard_bounce"}
    (row,) = box.rows("select state, reason from mails where mail_id = $1", mail_id)
    assert row["state"] == "failed"
    assert row["reason"].startswith("bounced")


def test_a_bounce_that_only_quotes_a_message_id_is_counted_and_ends_nothing_by_itself(box: Postbox) -> None:
    """Message-IDs travel with answers and forwarded copies: somebody else may have written it."""
    box.subscribe("lower@example.com")
    mail_id = box.post("lower@example.com", purpose="newsletter")
    content = sample(samples.POSTFIX, message_id=box.message_id(mail_id), return_path="BOUNCES@shop.example")
    lowered = box.return_path(mail_id).lower()
    mail = box.sorted_mail(content, lowered, sender="")
    assert (mail["outcome"], mail["mail_id"]) == ("refused_counted", mail_id)
    assert box.sorted_mail(content + b"\n", lowered, sender="")["outcome"] == "refused_counted"
    assert box.statuses("lower@example.com") == {"newsletter": "ConsentGiven"}
    assert (
        box.rows("select soft_bounces from contacts join mails using (contact_id) where mail_id = $1", mail_id)[0][
            "soft_bounces"
        ]
        == 1
    ), "twice on one day is once"


def test_a_forged_bounce_changes_nothing_and_a_person_sees_it(box: Postbox) -> None:
    box.subscribe("victim@example.com")
    box.post("victim@example.com", purpose="newsletter")
    forged = sample(samples.POSTFIX, to="victim@example.com", message_id="1.0123456789abcdef@shop.example")
    for recipient in (BOUNCES, "bounces+YgAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAA@shop.example", CONTACT):
        mail = box.sorted_mail(forged, recipient, sender="")
        assert (mail["state"], mail["outcome"]) == ("for_person", "not_about_a_mail_of_ours")
    assert box.statuses("victim@example.com") == {"newsletter": "ConsentGiven"}
    assert box.suppressions("victim@example.com") == {}


def test_a_full_mailbox_is_given_up_after_five_days_only(box: Postbox) -> None:
    email = "full@example.com"
    box.subscribe(email)
    outcomes = []
    for number in range(6):
        mail_id = box.post(email, purpose="newsletter")
        diagnostic = f"552 5.2.2 over quota, attempt {number}"
        full = about(box, samples.POSTFIX, mail_id, status="5.2.2", diagnostic=diagnostic)
        outcomes.append(box.sorted_mail(full, box.return_path(mail_id), sender="")["outcome"])
        if number:  # the second comes on the same day
            box.rows("update contacts set soft_bounced_at = soft_bounced_at - interval '7 days' returning 1")
    assert outcomes == ["refused_counted"] * 5 + ["hard_bounce"]
    assert box.statuses(email) == {"newsletter": "ConsentInvalidated"}


def test_news_of_a_delay_changes_nothing(box: Postbox) -> None:
    box.subscribe("slow@example.com")
    mail_id = box.post("slow@example.com", purpose="newsletter")
    delayed = about(box, samples.POSTFIX, mail_id, action="delayed", status="4.4.1")
    assert box.sorted_mail(delayed, box.return_path(mail_id), sender="")["outcome"] == "delayed"
    assert box.statuses("slow@example.com") == {"newsletter": "ConsentGiven"}
    assert box.rows("select state from mails where mail_id = $1", mail_id)[0]["state"] == "sent"


@pytest.mark.parametrize("template", ["preferences_link", "issue"])
def test_a_complaint_ends_everything(box: Postbox, template: str) -> None:
    email = f"annoyed-{template}@example.com"
    box.subscribe(email, "newsletter", "support")
    mail_id = box.post(email, template, purpose="newsletter" if template == "issue" else None)
    mail = box.sorted_mail(about(box, samples.FEEDBACK, mail_id))
    assert (mail["state"], mail["flow"], mail["outcome"], mail["mail_id"]) == (
        "sorted",
        "complaint",
        "complaint",
        mail_id,
    )
    assert box.statuses(email) == {"newsletter": "ConsentWithdrawn", "support": "ConsentWithdrawn"}
    assert box.suppressions(email) == {"*": "complaint"}


def test_a_complaint_that_only_quotes_a_message_id_ends_that_subscription_at_most(box: Postbox) -> None:
    email = "quoted@example.com"
    box.subscribe(email, "newsletter", "support")
    mail_id = box.post(email, "issue", purpose="newsletter")
    quoted = sample(samples.FEEDBACK, message_id=box.message_id(mail_id))
    assert box.sorted_mail(quoted)["outcome"] == "withdrawn"
    assert box.statuses(email) == {"newsletter": "ConsentWithdrawn", "support": "ConsentGiven"}
    other = box.post(email)
    mail = box.sorted_mail(sample(samples.FEEDBACK, message_id=box.message_id(other)))
    assert (mail["state"], mail["outcome"]) == ("for_person", "not_proven")
    assert box.statuses(email)["support"] == "ConsentGiven"


def test_a_complaint_that_quotes_only_the_unsubscribe_link_counts(box: Postbox) -> None:
    from workers.mail import links

    contact_id = box.subscribe("linked@example.com")
    url = f"https://shop.example/u/{links.unsubscribe_token(box.ring, contact_id, 'newsletter')}"
    assert box.sorted_mail(sample(samples.FEEDBACK, unsubscribe_url=url))["outcome"] == "complaint"
    assert box.suppressions("linked@example.com") == {"*": "complaint"}


def test_a_provider_s_opt_out_ends_that_subscription_only(box: Postbox) -> None:
    email = "optout@example.com"
    box.subscribe(email, "newsletter", "support")
    mail_id = box.post(email, "issue", purpose="newsletter")
    assert box.sorted_mail(about(box, samples.FEEDBACK, mail_id, kind="opt-out"))["outcome"] == "withdrawn"
    assert box.statuses(email) == {"newsletter": "ConsentWithdrawn", "support": "ConsentGiven"}


def test_a_complaint_about_nothing_of_ours_goes_to_a_person(box: Postbox) -> None:
    mail = box.sorted_mail(sample(samples.FEEDBACK))
    assert (mail["state"], mail["flow"]) == ("for_person", "complaint")


def test_an_unsubscribe_mail_ends_that_subscription_only(box: Postbox) -> None:
    email = "leaves@example.com"
    contact_id = box.subscribe(email, "newsletter", "support")
    leave = sample(samples.UNSUBSCRIBE, author="somebody-else@example.org")
    mail = box.sorted_mail(leave, box.unsubscribe_address(contact_id), sender="other@example.org")
    assert (mail["flow"], mail["outcome"]) == ("unsubscribe", "withdrawn")
    assert box.statuses(email) == {"newsletter": "ConsentWithdrawn", "support": "ConsentGiven"}
    assert box.suppressions(email) == {"newsletter": "withdrawn"}
    assert box.letters("contact_acknowledged") == []


def test_an_unsubscribe_mail_ends_a_purpose_that_is_declared_no_more(box: Postbox) -> None:
    email = "former@example.com"
    contact_id = box.subscribe(email)
    box.rows("update consents set purpose = 'former' where contact_id = $1 returning 1", contact_id)
    mail = box.sorted_mail(sample(samples.UNSUBSCRIBE, number="o"), box.unsubscribe_address(contact_id, "former"))
    assert mail["outcome"] == "withdrawn"
    assert box.statuses(email) == {"former": "ConsentWithdrawn"}


def test_an_unsubscribe_mail_of_somebody_who_was_erased_is_no_fault(box: Postbox) -> None:
    address = box.unsubscribe_address(999_999)
    assert box.sorted_mail(sample(samples.UNSUBSCRIBE, number="e"), address)["outcome"] == "nothing_to_end"


def test_an_unsubscribe_mail_without_a_tag_is_for_a_person(box: Postbox) -> None:
    mail = box.sorted_mail(sample(samples.UNSUBSCRIBE, number="t"), "unsubscribe@shop.example")
    assert mail["state"] == "for_person"


def test_a_question_reaches_the_staff_and_is_acknowledged(box: Postbox) -> None:
    author = "asks@example.com"
    mail = box.sorted_mail(question("q", author, text="Bonjour, où est ma lampe ? Merci."), sender=author)
    assert (mail["state"], mail["flow"], mail["outcome"]) == ("sorted", "question", "passed_on")
    to, values, reply_to = box.letters("contact_question")[-1]
    assert (to, reply_to) == ("staff@office.example", author)
    assert values["question"].split("\n\n") == [
        "Question about order 4711 \N{EN DASH} lamp",
        "Bonjour, où est ma lampe ? Merci.",
        f"[lethe postbox show {mail['inbox_mail_id']}: {mail['size_bytes']} bytes]",
    ]
    acknowledged = [one for one in box.letters("contact_acknowledged") if one[0] == author]
    assert [one[1]["reference"] for one in acknowledged] == [values["reference"]]
    assert box.rows("select language from mails where template = 'contact_acknowledged' order by 1 desc")[0]["language"]


@pytest.mark.parametrize("template", ["confirm_subscription", "renew_consent"])
def test_an_answer_to_a_mail_that_asks_for_a_click_is_a_question_and_no_yes(box: Postbox, template: str) -> None:
    author = f"answers-{template.replace('_', '-')}@example.com"
    contact_id = box.subscribe(author)
    box.rows("update consents set status = 'ConsentRequested' where contact_id = $1 returning 1", contact_id)
    box.rows("update contacts set last_own_contact_at = '2025-01-01' where contact_id = $1 returning 1", contact_id)
    mail_id = box.post(author, template)
    answer = question(template, author, text="Yes, please!", headers=f"In-Reply-To: <{box.message_id(mail_id)}>\n")
    mail = box.sorted_mail(answer, "shop@shop.example", sender=author)
    assert (mail["flow"], mail["outcome"], mail["mail_id"]) == ("question", "passed_on", mail_id)
    assert box.statuses(author) == {"newsletter": "ConsentRequested"}
    assert not box.rows("select from contacts where contact_id = $1 and last_own_contact_at > '2025-01-02'", contact_id)
    told = [values for to, values, _ in box.letters("contact_no_confirmation") if to == author]
    assert [one["url"] for one in told] == ["https://shop.example/subscribe"]
    assert [one for one in box.letters("contact_acknowledged") if one[0] == author] == []


@pytest.mark.parametrize(
    ("header", "flow"),
    [
        ("Auto-Submitted: auto-replied", "auto_reply"),
        ("Auto-Submitted: auto-generated", "question"),
        ("List-Id: <users.example.org>", "question"),
        ("Precedence: bulk", "question"),
        ("X-Auto-Response-Suppress: All", "question"),
    ],
)
def test_machines_are_not_answered(box: Postbox, header: str, flow: str) -> None:
    author = f"machine-{abs(hash(header))}@example.com"
    mail = box.sorted_mail(question(header[:9], author, headers=f"{header}\n"), sender=author)
    assert mail["flow"] == flow
    assert [one for one in box.letters("contact_acknowledged") if one[0] == author] == []


def test_two_machines_do_not_write_to_each_other_for_ever(box: Postbox) -> None:
    """A robot without any mark that answers each mail: acknowledged three times a day, and no more."""
    author = "robot@example.net"
    for number in range(8):
        box.deliver(question(f"robot{number}", author), sender=author)
    box.wait_sorted()
    assert len([one for one in box.letters("contact_acknowledged") if one[0] == author]) == 3
    assert len([one for one in box.letters("contact_question") if one[2] == author]) == 8


def test_a_domain_is_acknowledged_so_often_in_an_hour(box: Postbox) -> None:
    for number in range(70):
        box.deliver(question(f"many{number}", f"p{number}@many.example"), sender=f"p{number}@many.example")
    box.wait_sorted(timeout_s=60)
    assert len([one for one in box.letters("contact_acknowledged") if one[0].endswith("@many.example")]) == 60
    assert len([one for one in box.letters("contact_question") if str(one[2]).endswith("@many.example")]) == 70


def test_one_of_ours_that_comes_back_is_not_answered(box: Postbox) -> None:
    box.subscribe("loop@example.com")
    mail_id = box.post("loop@example.com")
    own = question("loop", "shop@shop.example").replace(b"CAF-loop@mail.example.org", box.message_id(mail_id).encode())
    before = len(box.letters("contact_acknowledged"))
    mail = box.sorted_mail(own, sender="shop@shop.example")
    assert (mail["state"], mail["flow"], len(box.letters("contact_acknowledged"))) == ("for_person", "own_mail", before)


def test_an_answer_to_a_mail_of_ours_keeps_consent_alive_and_nobody_else_s_mail_does(box: Postbox) -> None:
    email = "alive@example.com"
    box.subscribe(email)
    mail_id = box.post(email)
    old = "update contacts set last_own_contact_at = now() - interval '2 years' where contact_id = $1 returning 1"
    contact_id = box.rows("select contact_id from mails where mail_id = $1", mail_id)[0]["contact_id"]
    read = "select last_own_contact_at > now() - interval '1 hour' as is_fresh from contacts where contact_id = $1"
    box.rows(old, contact_id)
    box.sorted_mail(question("forged", email), sender=email)
    assert not box.rows(read, contact_id)[0]["is_fresh"]
    box.sorted_mail(question("real", email, headers=f"In-Reply-To: <{box.message_id(mail_id)}>\n"), sender=email)
    assert box.rows(read, contact_id)[0]["is_fresh"]


def test_vacations_and_receipts_are_noted_and_nothing_else(box: Postbox) -> None:
    box.subscribe("away@example.com")
    mail_id = box.post("away@example.com", "issue", purpose="newsletter")
    for template, recipient in ((samples.VACATION, box.return_path(mail_id)), (samples.RECEIPT, "news@shop.example")):
        mail = box.sorted_mail(about(box, template, mail_id, author="away@example.com"), recipient)
        assert (mail["state"], mail["flow"], mail["outcome"]) == ("sorted", "auto_reply", "not_answered")
    assert box.statuses("away@example.com") == {"newsletter": "ConsentGiven"}


def test_a_mail_to_nobody_we_know_waits_for_a_person(box: Postbox) -> None:
    mail = box.sorted_mail(question("stranger"), "sales@shop.example")
    assert (mail["state"], mail["flow"]) == ("for_person", "other")
    assert mail["sender_hash"].bytes == box.ring.lookup_hash("email", b"ada@example.com"), "an erasure must find it"


def test_the_fence_holds_for_the_postbox_too(box: Postbox) -> None:
    """Whoever is being erased is not opened again; the mail is dealt with all the same."""
    email = "fenced@example.com"
    contact_id = box.subscribe(email)
    box.rows(
        "update subjects set fenced_at = now() from contacts "
        "where contacts.subject_id = subjects.subject_id and contact_id = $1 returning 1",
        contact_id,
    )
    mail = box.sorted_mail(sample(samples.UNSUBSCRIBE, number="f"), box.unsubscribe_address(contact_id))
    assert mail["state"] == "sorted"
    assert box.statuses(email) == {"newsletter": "ConsentWithdrawn"}


def test_without_a_mailbox_of_its_own_the_staff_reads_questions_in_the_postbox(
    stack: Endpoints, tmp_path: Path
) -> None:
    with postbox(stack, tmp_path, staff_address=None) as (alone, _):
        mail = alone.sorted_mail(question("alone"))
        assert (mail["state"], mail["outcome"]) == ("for_person", "listed")
        assert alone.letters("contact_question") == [], "it would come back to this postbox"
        assert [one[0] for one in alone.letters("contact_acknowledged")] == ["ada@example.com"]
