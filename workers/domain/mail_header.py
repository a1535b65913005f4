"""Headers and addresses of a mail that anybody may have written: decoded, of one line, never an error."""

from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses

from workers.domain.email_address import normalise
from workers.errors import Refused

_MAX_CHARACTERS = 998


def raw(message: Message, name: str) -> str:
    """The first header of this name as it was sent, unfolded; empty where there is none."""
    value = message.get(name)
    return "" if value is None else _one_line(str(value))


def text(message: Message, name: str) -> str:
    """The same with its encoded words decoded (RFC 2047)."""
    value = raw(message, name)
    try:
        return _one_line(str(make_header(decode_header(value))))
    except (HeaderParseError, LookupError, UnicodeError, ValueError, AssertionError):
        return value


def address(message: Message, *names: str) -> str | None:
    """The one normalised address of the first of these headers that has one."""
    for name in names:
        for _, found in getaddresses([raw(message, name)]):
            try:
                return normalise(found)
            except Refused:
                continue
    return None


def _one_line(value: str) -> str:
    printable = "".join(one if one.isprintable() else " " for one in value[: 4 * _MAX_CHARACTERS])
    return " ".join(printable.split())[:_MAX_CHARACTERS]
