"""The certificate as people see it: page and PDF say the same, in both languages, and nothing is lost."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.certificates import KEPT_GROUND, SHOP, chain, partly, rendered
from workers.mail.templates import LANGUAGES, catalogue
from workers.proof import page, pdf, verification, wording
from workers.proof.certificate import Certificate
from workers.proof.signing import Signer

SIGNER = Signer(b"\x01" * 32)
COMPLETE = chain(1)[0]
PARTLY = rendered(partly())
both = pytest.mark.parametrize("one", [COMPLETE, PARTLY], ids=["completed", "partly"])
each_language = pytest.mark.parametrize("language", LANGUAGES)


class Text(HTMLParser):
    """The text of a page, and the document in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.document, self._in = "", "", ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._in = tag

    def handle_data(self, data: str) -> None:
        self.text += data
        self.document += data if self._in == "pre" else ""


def said(one: Certificate, language: str) -> list[str]:
    words = wording.words(one, language)
    lines = [line for section in words.sections for name, sentences in section.lines for line in (name, *sentences)]
    headings = [section.heading for section in words.sections]
    return [words.title, words.verdict, *headings, *lines, *words.notes, *(value for _, value in words.evidence)]


@both
@each_language
def test_the_page_says_every_word_and_carries_the_signed_document(one: Certificate, language: str) -> None:
    html = page.html(one, language)
    read = Text(html)
    assert all(line in read.text for line in said(one, language))
    assert f'<html lang="{language}">' in html
    document = read.document.strip()
    assert verification.verify(document, {SIGNER.key_id: SIGNER.public}).faults == ()
    assert not re.search(r"<script|src=|https?://", html)


@each_language
def test_deleted_and_rendered_unreadable_are_two_words(language: str) -> None:
    say = catalogue(language, wording.PACKAGE).gettext
    deleted, unreadable = say("Deleted: %(counts)s.").split(":")[0], say("Rendered unreadable: key epoch").split(":")[0]
    own = " ".join(said(COMPLETE, language))
    assert deleted.strip() in own
    assert unreadable.strip().lower() not in deleted.lower()
    assert any("key epoch 3" in line or "époque de clé 3" in line for line in said(COMPLETE, language))


@each_language
def test_what_is_not_confirmed_stands_out(language: str) -> None:
    assert not wording.words(PARTLY, language).is_complete
    assert any(line.endswith("no answer.") for line in said(PARTLY, language))
    assert "partly" in page.html(PARTLY, language)


@both
@each_language
def test_the_pdf_is_one_that_embeds_its_font_and_never_changes(one: Certificate, language: str) -> None:
    made = pdf.pdf(one, language)
    assert made.startswith(b"%PDF-")
    assert made.rstrip().endswith(b"%%EOF")
    assert b"/FontFile2" in made
    assert pdf.pdf(one, language) == made


def test_the_pdf_s_font_has_every_letter_of_both_languages() -> None:
    from reportlab.pdfbase import pdfmetrics

    pdf.pdf(COMPLETE, "fr")
    letters = {
        letter
        for one in (COMPLETE, PARTLY)
        for language in LANGUAGES
        for line in said(one, language)
        for letter in line
    }
    known = pdfmetrics.getFont("Vera").face.charToGlyph
    assert {letter for letter in letters if ord(letter) not in known} == set()


def test_values_are_escaped_on_page_and_pdf() -> None:
    odd = rendered(partly(), controller="<b>&amp; Söhne</b>")
    assert "<b>" not in page.html(odd, "en")
    assert pdf.pdf(odd, "en").startswith(b"%PDF-")
    assert SHOP in Text(page.html(COMPLETE, "en")).text
    assert KEPT_GROUND in Text(page.html(COMPLETE, "fr")).text


def test_every_sentence_has_a_translation() -> None:
    source = Path(wording.__file__).read_text()
    sentences = re.findall(r'say\(\s*"((?:[^"\\]|\\.|"\s+")*)"\s*\)', source)
    assert len(sentences) > 30
    for sentence in sentences:
        plain = re.sub(r'"\s+"', "", sentence)
        assert catalogue("fr", wording.PACKAGE).gettext(plain) != plain, plain
