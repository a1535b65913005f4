"""A mail as a receiver sees it: parsed, verified, measured."""

from email import message_from_bytes, policy
from email.message import EmailMessage

import dkim

from workers.mail.dkim import Signer


def parsed(content: bytes) -> EmailMessage:
    """The mail by Python's parser, which must find no defect."""
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    defects = [defect for part in message.walk() for defect in part.defects]
    assert not defects, defects
    return message


def bodies(message: EmailMessage) -> tuple[str, str]:
    """Text and HTML, with LF line ends."""
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content().replace("\r\n", "\n"), html.get_content().replace("\r\n", "\n")


def verified(content: bytes, signer: Signer, domain: str) -> list[str]:
    """The headers that every signature covers; fails unless each signature holds."""
    records = {f"{key.selector}._domainkey.{domain}.": key.record().encode() for key in signer.keys}
    assert records
    for number in range(len(records)):
        checker = dkim.DKIM(content)
        assert checker.verify(number, dnsfunc=lambda name, timeout=5: records[name.decode()])
    return [name.decode() for name in checker.include_headers]


def longest_line_octets(content: bytes) -> int:
    """Without its CRLF."""
    assert b"\n" not in content.replace(b"\r\n", b""), "a bare line feed"
    return max(len(line) for line in content.split(b"\r\n"))


def contrast(first: str, second: str) -> float:
    """The contrast of two #rrggbb colours (WCAG 2.2, 1.4.3)."""
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
