"""What a person wrote in a mail: its text, without attachments, without HTML, in a form that can be passed on."""

import re
from collections.abc import Iterator
from email.message import Message
from html.parser import HTMLParser

from workers.domain import cards

_BLOCKS = frozenset(("p", "div", "br", "li", "tr", "table", "h1", "h2", "h3", "blockquote", "pre", "ul", "ol"))
_UNREAD = frozenset(("script", "style", "head", "title"))
_HTML_READ_CHARACTERS = 100_000
_DIGIT = re.compile(r"\d")
_FRENCH = re.compile(
    r"\b(?:bonjour|bonsoir|merci|cordialement|je|vous|est|une|mon|ma|mes|votre|vos|pas|avec|pour|mais|commande)\b",
    re.IGNORECASE,
)
_ENGLISH = re.compile(
    r"\b(?:hello|hi|dear|thanks|thank|regards|i|you|is|the|my|your|not|with|for|but|order|please)\b", re.IGNORECASE
)


def text(message: Message) -> str:
    """The plain text; of a mail that is HTML alone, its words. Empty where there is nothing to read."""
    plain = [_decoded(part) for part in _parts(message, "plain")]
    if not any(one.strip() for one in plain):
        plain = [_words(_decoded(part)) for part in _parts(message, "html")]
    return _tidy("\n\n".join(plain))


def texts(message: Message) -> list[str]:
    """Every part that is text, whatever its form: a card number may stand in any of them."""
    return [_decoded(part) for kind in ("plain", "html") for part in _parts(message, kind)]


def attachments(message: Message) -> int:
    """How many parts are no text to read."""
    leaves = [part for part in message.walk() if not part.is_multipart()]
    read = [*_parts(message, "plain"), *_parts(message, "html")]
    return len(leaves) - len(read)


def language(written: str) -> str:
    """`fr` or `en`, whichever its small words are of."""
    return "fr" if len(_FRENCH.findall(written)) > len(_ENGLISH.findall(written)) else "en"


def without_cards(written: str) -> str:
    """The same with the digits of lines that hold a card number struck out; of all lines where it spans some."""
    lines = [_struck(line) if cards.find(line) else line for line in written.split("\n")]
    masked = "\n".join(lines)
    return _struck(masked) if cards.find(masked) else masked


def _struck(line: str) -> str:
    return _DIGIT.sub("*", line)


def _parts(message: Message, subtype: str) -> Iterator[Message]:
    for part in message.walk():
        if part.get_content_type() == f"text/{subtype}" and not part.is_multipart() and not part.get_filename():
            yield part


def _decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    for charset in (part.get_content_charset() or "utf-8", "utf-8", "cp1252"):
        try:
            return content.decode(charset)
        except (LookupError, UnicodeError, ValueError):
            continue
    return content.decode("utf-8", "replace")


def _tidy(written: str) -> str:
    lines = written.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    clean = ["".join(one for one in line if one.isprintable() or one == "\t").rstrip() for line in lines]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(clean)).strip()


def _words(html: str) -> str:
    reader = _Reader()
    reader.feed(html[:_HTML_READ_CHARACTERS])
    reader.close()
    return reader.text


class _Reader(HTMLParser):
    """Keeps the words, and a line for each block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._found: list[str] = []
        self._unread = 0

    @property
    def text(self) -> str:
        """The words so far."""
        lines = ("".join(self._found)).split("\n")
        return "\n".join(" ".join(line.split()) for line in lines)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A block begins a line."""
        self._unread += tag in _UNREAD
        if tag in _BLOCKS:
            self._found.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """A block ends one."""
        self._unread -= tag in _UNREAD and self._unread > 0
        if tag in _BLOCKS:
            self._found.append("\n")

    def handle_data(self, data: str) -> None:
        """Words."""
        if not self._unread:
            self._found.append(" ".join(data.split(" ")))
