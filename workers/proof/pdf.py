"""A certificate as a PDF for people: A4, with its font in it; the signed document is the JSON, not this."""

import io
from functools import cache
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from workers.proof.certificate import Certificate
from workers.proof.wording import Section, Wording, words

_FONT, _BOLD = "Vera", "VeraBd"
_GREEN, _BROWN, _GREY = colors.HexColor("#1f4b3f"), colors.HexColor("#8a4b00"), colors.HexColor("#4a4a4a")
_MARGIN = 20 * mm
_PADDING = 6  # that reportlab's frame puts around everything
_WIDTHS = (45 * mm, A4[0] - 2 * _MARGIN - 2 * _PADDING - 45 * mm)


def pdf(certificate: Certificate, language: str) -> bytes:
    """The PDF's bytes; the same certificate gives the same bytes."""
    said = words(certificate, language)
    made = io.BytesIO()
    document = SimpleDocTemplate(
        made, pagesize=A4, leftMargin=_MARGIN, rightMargin=_MARGIN, topMargin=_MARGIN, bottomMargin=_MARGIN,
        title=said.title, author=certificate.controller, lang=said.language, invariant=1,
    )  # fmt: skip

    def footer(canvas: Canvas, _document: SimpleDocTemplate) -> None:
        canvas.setFont(_FONT, 7.5)
        canvas.setFillColor(_GREY)
        canvas.drawString(_MARGIN, 12 * mm, f"{said.title} · {certificate.hash}")
        canvas.drawRightString(A4[0] - _MARGIN, 12 * mm, str(canvas.getPageNumber()))

    document.build(_story(said), onFirstPage=footer, onLaterPages=footer)
    return made.getvalue()


def _story(said: Wording) -> list[Flowable]:
    style = _styles()
    verdict = Table([[Paragraph(escape(said.verdict), style["text"])]], colWidths=[sum(_WIDTHS)])
    accent = _GREEN if said.is_complete else _BROWN
    verdict.setStyle(TableStyle([("LINEBEFORE", (0, 0), (0, -1), 3, accent), ("LEFTPADDING", (0, 0), (-1, -1), 8)]))
    story: list[Flowable] = [Paragraph(escape(said.title), style["title"]), verdict]
    for section in said.sections:
        story += _section(section)
    story.append(Spacer(1, 6 * mm))
    story += [Paragraph(escape(note), style["note"]) for note in said.notes]
    story += [Spacer(1, 4 * mm), _table([(name, [value]) for name, value in said.evidence], "note")]
    return story


def _section(section: Section) -> list[Flowable]:
    heading = Paragraph(escape(section.heading), _styles()["heading"])
    return [heading, _table([(name, list(sentences)) for name, sentences in section.lines], "text")]


def _table(lines: list[tuple[str, list[str]]], name: str) -> Table:
    style = _styles()
    rows = [
        [Paragraph(escape(label), style["label"]), [Paragraph(escape(one), style[name]) for one in sentences]]
        for label, sentences in lines
    ]
    table = Table(rows, colWidths=list(_WIDTHS))
    table.setStyle(
        TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (0, -1), 0),
                    ("TOPPADDING", (0, 0), (-1, -1), 1), ("BOTTOMPADDING", (0, 0), (-1, -1), 3)])
    )  # fmt: skip
    return table


@cache
def _styles() -> dict[str, ParagraphStyle]:
    """Vera comes with reportlab: Latin letters with every accent of English and French."""
    for name in (_FONT, _BOLD):
        pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))
    text = ParagraphStyle("text", fontName=_FONT, fontSize=9, leading=13, splitLongWords=True)
    return {
        "text": text,
        "title": ParagraphStyle("title", parent=text, fontSize=18, leading=24, spaceAfter=8),
        "heading": ParagraphStyle("heading", parent=text, fontName=_BOLD, fontSize=10.5, spaceBefore=14, spaceAfter=4,
                                  keepWithNext=True),
        "label": ParagraphStyle("label", parent=text, textColor=_GREY),
        "note": ParagraphStyle("note", parent=text, fontSize=8, leading=11, textColor=_GREY),
    }  # fmt: skip
