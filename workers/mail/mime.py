"""A message as it is sent: multipart/alternative of text and HTML, every byte of it ASCII and short-lined.

Built by hand from parts that are encoded once: Python's EmailMessage costs a hundred times as much per recipient.
No value can end a header: what comes from outside is an address that was checked, or goes through `encoded`.
"""

import binascii
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime
from functools import lru_cache
from typing import NamedTuple

from workers.mail.dkim import Signer

_BOUNDARY = "=_lethe_part"
_HEADER_LINE_CHARS = 76
_ONE_ADDRESS = re.compile(r"""[^\s<>()\[\]\\,;:@"]+@[^\s<>()\\,;:@"]+""")


class Content(NamedTuple):
    """What a person reads. Both bodies have LF line ends."""

    subject: str
    text: str
    html: str


class Envelope(NamedTuple):
    """Around the content: who writes to whom, and what machines are told.

    `unsubscribe` is the one-click URL and the mailto address; None where there is nothing to unsubscribe from.
    """

    sender: str
    sender_name: str
    to: str
    message_id: str
    at: datetime
    unsubscribe: tuple[str, str] | None = None
    list_id: str | None = None
    reply_to: str | None = None
    automatic: str | None = None


def message(content: Content, envelope: Envelope, signer: Signer) -> bytes:
    """The whole message, signed, with CRLF line ends; no line is over 998 octets (RFC 5322, 2.1.1)."""
    headers = _headers(content.subject, envelope)
    body = _body(content)
    plain = "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
    return signer.sign(headers, body) + plain + b"\r\n" + body


@lru_cache(256)
def encoded(text: str) -> str:
    """Any text as the value of a header: RFC 2047 words where it is not ASCII, folded, no line break of its own."""
    line = " ".join(text.split())
    return Header(line, "us-ascii" if line.isascii() else "utf-8", _HEADER_LINE_CHARS, "Subject").encode(linesep="\r\n")


def check_address(address: str) -> None:
    """That it is one address and can stand in a header as it is. Raises ValueError, without the address.

    Which addresses exist is decided where they come in; here nothing that ends a header or begins another address
    gets through, whoever let it in.
    """
    if not (address.isprintable() and _ONE_ADDRESS.fullmatch(address)):
        raise ValueError("not one plain address")


def _headers(subject: str, envelope: Envelope) -> Sequence[tuple[str, str]]:
    for address in (envelope.sender, envelope.to, *((envelope.reply_to,) if envelope.reply_to else ())):
        check_address(address)
    headers = [
        ("From", f"{_phrase(envelope.sender_name)} <{envelope.sender}>"),
        ("To", envelope.to),
        ("Subject", encoded(subject)),
        ("Date", format_datetime(envelope.at.astimezone(UTC))),
        ("Message-ID", f"<{envelope.message_id}>"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/alternative; boundary="{_BOUNDARY}"'),
    ]
    if envelope.reply_to:
        headers.append(("Reply-To", envelope.reply_to))
    if envelope.automatic:
        headers.append(("Auto-Submitted", envelope.automatic))
    if envelope.list_id:
        headers.append(("List-Id", f"<{envelope.list_id}>"))
    if envelope.unsubscribe:
        url, address = envelope.unsubscribe
        headers.append(("List-Unsubscribe", f"<{url}>,\r\n\t<mailto:{address}?subject=unsubscribe>"))
        headers.append(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    return headers


@lru_cache(16)
def _phrase(name: str) -> str:
    """A display name: quoted where it is ASCII, an encoded word where not."""
    line = " ".join(name.split())
    if line.isascii():
        return '"' + line.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return Header(line, "utf-8", _HEADER_LINE_CHARS, "From").encode(linesep="\r\n")


def _body(content: Content) -> bytes:
    """The line end before a boundary is the boundary's (RFC 2046, 5.1.1), hence the one behind each part."""
    parts = (("plain", content.text), ("html", content.html))
    written = [
        f'--{_BOUNDARY}\r\nContent-Type: text/{kind}; charset="utf-8"\r\n'
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
        + _quoted(text)
        + b"\r\n"
        for kind, text in parts
    ]
    return b"".join(written) + f"--{_BOUNDARY}--\r\n".encode()


def _quoted(text: str) -> bytes:
    """Quoted-printable (RFC 2045, 6.7), lines of 76 at most, CRLF; ends in a line end."""
    raw = text.encode() if text.endswith("\n") else text.encode() + b"\n"
    return binascii.b2a_qp(raw, istext=True).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
