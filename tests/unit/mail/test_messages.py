"""Every mail that Lethe can write, as its receiver sees it."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import received
from workers.mail import dkim, mime, templates
from workers.mail.mime import Content, Envelope

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
VALUES = {
    "shop": "Bücher & <b>Söhne</b>", "purpose": "the newsletter", "hours": "48",
    "url": "https://shop.example/x?a=1&b=2",
    "date": "1 March 2026", "expires_on": "2026-03-01", "reference": "Q-1", "version": "2.0", "summary": "less",
    "question": "Where is my parcel?", "store": "The archive", "count": "3",
    "certificate_summary": "The web shop: deleted; a later look found nothing.\n\nGLS: was told.", "number": "17",
    "fingerprint": "ab" * 32, "authority": "https://www.cnil.fr", "refusal": "no_match", "reason": "See above.",
    "until": "2026-03-15",
    "due_on": "2026-04-01", "days_left": "5", "state": "in_progress",
}  # fmt: skip
EVERY = [(name, language) for name in templates.names() for language in templates.LANGUAGES]


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> dkim.Signer:
    folder: Path = tmp_path_factory.mktemp("dkim")
    dkim.create(folder)
    return dkim.load(folder, "shop.example", "lethe")


def envelope(**changed: object) -> Envelope:
    given_ = {
        "sender": "news@shop.example", "sender_name": "Bücher & Söhne", "to": "ada@example.org",
        "message_id": "1.ab@shop.example", "at": AT, "unsubscribe": ("https://shop.example/u/t", "u+t@shop.example"),
        "list_id": "newsletter.shop.example", "automatic": "auto-generated",
    }  # fmt: skip
    return Envelope(**{**given_, **changed})  # type: ignore[arg-type]  # the fields of an envelope


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_it_is_a_sound_mail(name: str, language: str, signer: dkim.Signer) -> None:
    content = templates.render(name, language, VALUES)
    sent = mime.message(content, envelope(), signer)
    mail = received.parsed(sent)
    assert mail["Subject"] == content.subject
    assert (mail["To"], mail["Message-ID"]) == ("ada@example.org", "<1.ab@shop.example>")
    assert received.bodies(mail) == (content.text, content.html.rstrip("\n") + "\n")
    assert received.longest_line_octets(sent) <= 998
    assert sent.isascii()
    signed = received.verified(sent, signer, "shop.example")
    assert {"from", "to", "subject", "date", "list-unsubscribe", "list-unsubscribe-post"} <= set(signed)


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_its_words_are_in_its_language_and_readable(name: str, language: str) -> None:
    content = templates.render(name, language, VALUES)
    assert f'<html lang="{language}">' in content.html
    assert "%(" not in content.text + content.subject
    pairs = re.findall(r"background-color:(#\w{6});color:(#\w{6})", content.html)
    pairs += [
        ("#ffffff", colour) for colour in re.findall(r"(?<!-)color:(#\w{6})", content.html) if colour != "#ffffff"
    ]
    assert pairs
    assert min(received.contrast(*pair) for pair in pairs) >= 4.5


@pytest.mark.parametrize(("days_left", "word"), [("5", "within 5 days"), ("-1", "Missed deadline")])
def test_staff_read_whether_a_deadline_is_near_or_was_missed(days_left: str, word: str) -> None:
    content = templates.render("requests_due", "en", {**VALUES, "days_left": days_left})
    assert word in content.subject
    assert ("complain to the supervisory authority" in " ".join(content.text.split())) is (days_left == "-1")


REFUSALS = [
    "suspected_fraud", "insuf_verification", "no_match", "claim_not_covered", "outside_jurisdiction",
    "too_many_requests",
]  # fmt: skip


@pytest.mark.parametrize("language", templates.LANGUAGES)
def test_a_refusal_gives_its_reason_and_the_remedies(language: str) -> None:
    """GDPR 12(4)."""
    texts = [templates.render("request_refused", language, {**VALUES, "refusal": one}).text for one in REFUSALS]
    assert len(set(texts)) == len(REFUSALS)
    assert all(VALUES["authority"] in text and "77" in text for text in texts)


def test_every_sentence_has_a_translation() -> None:
    environment = templates._environment("en")
    for name in templates.names():
        source = (Path(templates.__file__).parent / "templates" / f"{name}.j2").read_text()
        for _, _, found in environment.extract_translations(source):
            sentence = found if isinstance(found, str) else found[0]
            for language in set(templates.LANGUAGES) - {"en"}:
                assert templates.catalogue(language).gettext(sentence) != sentence, f"{language}: {sentence}"


@given(st.dictionaries(st.sampled_from(["shop", "purpose", "question", "reference"]), st.text(max_size=80)))
def test_no_value_adds_a_line_a_header_or_a_tag(changed: dict[str, str]) -> None:
    for name in ("confirm_subscription", "contact_question"):
        content = templates.render(name, "en", {**VALUES, **changed})
        plain = templates.render(name, "en", VALUES)
        assert content.html.count("<") <= plain.html.count("<")
        sent = mime.message(content, envelope(sender_name=changed.get("shop", "Shop")), dkim.Signer("shop.example", []))
        head = sent.partition(b"\r\n\r\n")[0]
        names = [line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] not in (b" ", b"\t")]
        assert len(names) == len(set(names)) == 11
        received.parsed(sent)


@pytest.mark.parametrize("injected", ["{{ 7*7 }}", "{% for x in y %}", "%(shop)s", "{{ ''.__class__ }}"])
def test_a_value_is_never_read_as_a_template(injected: str) -> None:
    content = templates.render("contact_question", "en", {**VALUES, "question": injected})
    assert injected in content.text


def test_a_missing_value_is_an_error_and_not_a_gap() -> None:
    with pytest.raises(jinja2.UndefinedError):
        templates.render("confirm_subscription", "en", {})


def test_one_click_is_offered_as_the_rfc_says(signer: dkim.Signer) -> None:
    mail = received.parsed(mime.message(Content("s", "t\n", "<p>t</p>"), envelope(), signer))
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert re.findall(r"<(.*?)>", mail["List-Unsubscribe"]) == [
        "https://shop.example/u/t", "mailto:u+t@shop.example?subject=unsubscribe",
    ]  # fmt: skip
    assert mail["List-Id"] == "<newsletter.shop.example>"


@given(st.text(max_size=300))
def test_any_subject_comes_out_as_its_words(subject: str) -> None:
    words = " ".join("".join(c for c in subject if c.isprintable() and c != "\ufeff").split())
    value = mime.encoded(words)
    assert max(len(line) for line in value.split("\r\n")) <= 998
    mail = received.parsed(f"Subject: {value}\r\n\r\n".encode())
    assert "".join(str(mail["Subject"]).split()) == "".join(words.split())


@given(st.text(max_size=2000))
def test_any_body_is_signed_as_it_is_received(signer: dkim.Signer, body: str) -> None:
    sent = mime.message(Content("s", body, body), envelope(), signer)
    received.verified(sent, signer, "shop.example")


def test_only_what_a_person_wrote_at_length_keeps_its_paragraphs() -> None:
    values = {"reference": "r\n\nr", "shop": "s\n\ns", "question": "First\r\nline.\n\nSecond <b>\nline.\n\n\n\nThird."}
    content = templates.render("contact_question", "en", values)
    assert content.text == "First line.\n\nSecond <b> line.\n\nThird.\n"
    assert content.subject == "A question, r r"
    assert "Second &lt;b&gt; line." in content.html


def test_dates_lists_and_colons_are_as_each_language_writes_them() -> None:
    days = [templates.day(date(2027, 1, 1), language) for language in ("en", "fr", "de")]
    assert days == ["1 January 2027", "1 janvier 2027", "1 January 2027"]
    assert [templates.listed(["a", "b", "c"], language) for language in ("en", "fr")] == ["a, b and c", "a, b et c"]
    texts = [templates.render("preferences_link", language, VALUES).text for language in ("en", "fr")]
    assert "Your choices:" in texts[0]
    assert "Vos choix\N{NO-BREAK SPACE}:" in texts[1]
