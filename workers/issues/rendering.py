"""From Markdown to what is sent: HTML in the shop's layout, and a text that reads as well without it."""

import textwrap
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from workers.issues.issue_file import IssueFile, Variant
from workers.mail import templates
from workers.mail.composer import UNSUBSCRIBE_URL
from workers.mail.mime import Content

_MARKDOWN = MarkdownIt("commonmark", {"html": False})
_WIDTH = 76
_UNDERLINES = {"h1": "=", "h2": "-"}


def render(issue: IssueFile, shop: str, purpose_titles: dict[str, str]) -> dict[str, Content]:
    """The issue by language, with `UNSUBSCRIBE_URL` where each person's own link goes."""
    return {variant.language: _content(variant, shop, purpose_titles[variant.language]) for variant in issue.variants}


def in_language(contents: dict[str, Content], language: str) -> Content:
    """The variant for a person: in their language where there is one, else the first."""
    return contents.get(templates.supported(language)) or next(iter(contents.values()))


def _content(variant: Variant, shop: str, purpose: str) -> Content:
    footer = templates.render(
        "issue_footer", variant.language, {"shop": shop, "purpose": purpose, "url": UNSUBSCRIBE_URL}
    )
    layout = templates.layout("issue.html", variant.language)
    html = layout.render(
        subject=variant.front.subject, preheader=variant.front.preheader, language=variant.language,
        body=_MARKDOWN.render(variant.body), footer=footer.text.splitlines()[0], url=UNSUBSCRIBE_URL,
        unsubscribe=footer.subject,
    )  # fmt: skip
    text = f"{_text(_MARKDOWN.parse(variant.body))}\n\n-- \n{footer.text}"
    return Content(variant.front.subject, text, html)


def _text(tokens: Sequence[Token]) -> str:
    """Blocks as paragraphs; links with their address behind them."""
    blocks: list[str] = []
    marks: list[str] = []
    for token in tokens:
        if token.type == "list_item_open":
            marks.append(f"{token.info}. " if token.info else "- ")
        elif token.type == "inline":
            blocks.append(_block(_inline(token.children or []), marks))
        elif token.type == "heading_close":
            line = _UNDERLINES.get(token.tag)
            blocks[-1] += f"\n{line * min(len(blocks[-1]), _WIDTH)}" if line else ""
        elif token.type in ("fence", "code_block"):
            blocks.append(textwrap.indent(token.content.rstrip(), "    "))
        elif token.type == "hr":
            blocks.append("* * *")
    return "\n\n".join(blocks)


def _block(text: str, marks: list[str]) -> str:
    first = marks.pop() if marks else ""
    marks.clear()
    lines = [
        textwrap.fill(
            line, _WIDTH, initial_indent=first if number == 0 else " " * len(first), subsequent_indent=" " * len(first),
            break_long_words=False, break_on_hyphens=False,
        )
        for number, line in enumerate(text.split("\n"))
    ]  # fmt: skip
    return "\n".join(lines)


def _inline(children: Sequence[Token]) -> str:
    written, address = [], ""
    for child in children:
        if child.type == "link_open":
            address = str(child.attrGet("href") or "")
        elif child.type == "link_close":
            written.append(f" ({address})")
        elif child.type == "image":
            written.append(child.content)
        elif child.type == "softbreak":
            written.append(" ")
        elif child.type == "hardbreak":
            written.append("\n")
        else:
            written.append(child.content)
    return "".join(written)
