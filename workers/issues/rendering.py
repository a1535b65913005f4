"""From Markdown to what is sent: HTML in the shop's layout, and a text that reads as well without it."""

import textwrap
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

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
    text = f"{_text(SyntaxTreeNode(_MARKDOWN.parse(variant.body)))}\n\n-- \n{footer.text}"
    return Content(variant.front.subject, text, html)


def _text(node: SyntaxTreeNode, width: int = _WIDTH) -> str:
    """The blocks under a node, an empty line between them; within a list that has none, lines."""
    is_tight = node.type == "list_item" and all(child.hidden for child in node.children if child.type == "paragraph")
    return ("\n" if is_tight else "\n\n").join(_block(child, width) for child in node.children)


def _block(node: SyntaxTreeNode, width: int) -> str:
    if node.type in ("bullet_list", "ordered_list"):
        return _list(node, width)
    if node.type == "blockquote":
        return "\n".join(f"> {line}".rstrip() for line in _text(node, width - 2).split("\n"))
    if node.type in ("fence", "code_block"):
        return textwrap.indent(node.content.rstrip(), "    ")
    if node.type == "hr":
        return "* * *"
    text = "\n".join(
        textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
        for line in _inline(node.children).split("\n")
    )
    underline = _UNDERLINES.get(node.tag)
    return f"{text}\n{underline * max(map(len, text.splitlines()))}" if underline and text else text


def _list(node: SyntaxTreeNode, width: int) -> str:
    """Each item behind its mark; what belongs to an item stands under its first word."""
    items, is_tight = [], True
    for number, item in enumerate(node.children, int(node.attrs.get("start", 1))):
        mark = "- " if node.type == "bullet_list" else f"{number}. "
        body = textwrap.indent(_text(item, width - len(mark)), " " * len(mark))
        items.append(mark + body[len(mark) :])
        is_tight = is_tight and all(child.hidden for child in item.children if child.type == "paragraph")
    return ("\n" if is_tight else "\n\n").join(items)


def _inline(nodes: Sequence[SyntaxTreeNode]) -> str:
    """Words without their marks; a link's address behind it, unless its words are the address; a picture's words."""
    written = []
    for node in nodes:
        if node.type == "link":
            words, address = _inline(node.children), str(node.attrs.get("href", ""))
            written.append(words if words == address.removeprefix("mailto:") else f"{words} ({address})")
        elif node.type == "softbreak":
            written.append(" ")
        elif node.type == "hardbreak":
            written.append("\n")
        elif node.children and node.type != "image":
            written.append(_inline(node.children))
        else:
            written.append(node.content)
    return "".join(written)
