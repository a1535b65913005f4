"""A mail that asks for erasure opens a request, and the link goes to the address on file; doubt goes to a person."""

import itertools
import uuid
from collections.abc import Iterator, Sequence
from email.message import EmailMessage

import asyncpg
import pytest

from tests.support.endpoints import Endpoints
from tests.support.mailbox import Postbox, postbox

TAGGED, CONTACT = "privacy+erasure@shop.example", "privacy@shop.example"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def box(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postbox]:
    with postbox(stack, tmp_path_factory.mktemp("postbox")) as (running, _):
        yield running


def written(author: str, subject: str = "", text: str = "", **headers: str) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = author, CONTACT, subject
    mail["Message-ID"] = f"<asks-{next(_numbers)}@mail.example.org>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail.as_bytes()


def requests(box: Postbox, email: str) -> Sequence[asyncpg.Record]:
    return box.rows(
        "select * from requests join request_identities using (request_id) "
        "where identity_hash = $1 order by received_at",
        uuid.UUID(bytes=box.ring.lookup_hash("email", email.encode())),
    )


def links(box: Postbox, email: str) -> list[str]:
    return [values["url"] for to, values, _ in box.letters("request_identity") if to == email]


@pytest.mark.parametrize(
    ("name", "recipient", "subject", "text"),
    [
        ("tag", TAGGED, "", ""),
        ("tag-upper", "Privacy+Erasure@shop.example", "Hi", "Is this the right address?"),
        ("english", CONTACT, "My data", "Hello,\n\nplease delete all my personal data.\n"),
        ("french", CONTACT, "Demande", "Bonjour,\nveuillez supprimer toutes mes données personnelles.\n"),
        ("subject", CONTACT, "Erasure request", ""),
    ],
)
def test_who_asks_gets_a_link_to_the_address_on_file(
    box: Postbox, name: str, recipient: str, subject: str, text: str
) -> None:
    email = f"{name}@example.com"
    box.subscribe(email)
    mail = box.sorted_mail(written(f"Ada <{email.upper()}>", subject, text), recipient, sender=email)
    assert (mail["state"], mail["flow"], mail["outcome"]) == ("sorted", "erasure", "link_sent")
    (request,) = requests(box, email)
    assert (request["state"], request["channel"], request["verified_by"]) == ("identity_needed", "mail", None)
    (url,) = links(box, email)
    assert url.startswith("https://shop.example/erasure/")
    assert [one for one in box.letters("contact_acknowledged") if one[0] == email] == []


def test_a_borrowed_name_gets_nothing(box: Postbox) -> None:
    box.subscribe("borrowed@example.com")
    before = len(box.letters("request_identity"))
    forged = written("borrowed@example.com", "Erasure request", Reply_To="thief@example.net")
    box.sorted_mail(forged, TAGGED, sender="thief@example.net")
    assert [to for to, _, _ in box.letters("request_identity")[before:]] == ["borrowed@example.com"]


def test_asking_again_joins_and_sends_a_new_link(box: Postbox) -> None:
    box.subscribe("twice@example.com")
    for _ in range(2):
        box.sorted_mail(written("twice@example.com"), TAGGED, sender="twice@example.com")
    first, second = requests(box, "twice@example.com")
    assert (first["joined"], second["joined"]) == (None, first["request_id"])
    assert len(set(links(box, "twice@example.com"))) == 2


def test_who_is_not_known_is_answered_by_a_person(box: Postbox) -> None:
    for recipient in (TAGGED, CONTACT):
        mail = box.sorted_mail(
            written("unknown@example.com", "Erasure request"), recipient, sender="unknown@example.com"
        )
        assert (mail["state"], mail["flow"], mail["outcome"]) == ("sorted", "question", "passed_on")
    assert requests(box, "unknown@example.com") == []
    assert len([one for one in box.letters("contact_question") if one[2] == "unknown@example.com"]) == 2


@pytest.mark.parametrize("text", ["Please do not delete my data.", "How can I delete my data?", "Delete my account."])
def test_doubtful_words_are_read_by_a_person(box: Postbox, text: str) -> None:
    box.subscribe("doubt@example.com")
    mail = box.sorted_mail(written("doubt@example.com", "My data", text), sender="doubt@example.com")
    assert (mail["flow"], mail["outcome"]) == ("question", "passed_on")
    assert requests(box, "doubt@example.com") == []


@pytest.mark.parametrize(
    ("header", "value", "flow"),
    [
        ("Auto_Submitted", "auto-replied", "auto_reply"),
        ("X_Autoreply", "yes", "auto_reply"),
        ("Auto_Submitted", "auto-generated", "question"),
        ("List_Id", "<users.example.org>", "question"),
        ("Precedence", "bulk", "question"),
    ],
)
def test_a_machine_opens_no_request(box: Postbox, header: str, value: str, flow: str) -> None:
    email = f"machine-{header.lower()}-{value[:5].strip('<')}@example.com"
    box.subscribe(email)
    for recipient in (TAGGED, CONTACT):
        content = written(email, "Erasure request", "Please delete my data.", **{header: value})
        assert box.sorted_mail(content, recipient, sender=email)["flow"] == flow
    assert requests(box, email) == []
    assert links(box, email) == []


def test_a_report_without_a_sender_opens_no_request(box: Postbox) -> None:
    box.subscribe("null@example.com")
    assert box.sorted_mail(written("null@example.com"), TAGGED, sender="")["state"] == "for_person"
    assert requests(box, "null@example.com") == []


def test_the_fourth_of_a_day_is_read_by_a_person(box: Postbox) -> None:
    box.subscribe("fourth@example.com")
    mails = [box.sorted_mail(written("fourth@example.com"), TAGGED, sender="fourth@example.com") for _ in range(4)]
    assert [mail["outcome"] for mail in mails] == ["link_sent"] * 3 + ["passed_on"]
    assert len(links(box, "fourth@example.com")) == 3
