"""What CloudEvents 1.0 says of an event, whatever way it travels: its attributes, each checked.

Source: CloudEvents 1.0.2. Lethe is stricter: `time` is required, and attributes hold no unprintable characters (no
header can be smuggled into a log or a request).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, NamedTuple

from schemas.errors import ContractCode, EnvelopeError

SPEC_VERSION: Final = "1.0"
MAX_ATTRIBUTE_CHARS: Final = 255
JSON_CONTENT_TYPE: Final = b"application/json"
NO_EXTENSIONS: Final[Mapping[str, str]] = MappingProxyType({})

_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)


class CloudEvent(NamedTuple):
    """One event, its attributes checked, its data not yet.

    `time` is in UTC. `data` is UTF-8 JSON as it was sent, or None for a tombstone. `extensions` holds the
    other `ce_` headers by name without the prefix.
    """

    id: str
    source: str
    type: str
    time: datetime
    subject: str | None = None
    dataschema: str | None = None
    data: bytes | None = None
    extensions: Mapping[str, str] = NO_EXTENSIONS


def is_structured(content_type: bytes, name: str = "content-type") -> bool:
    """Tell the structured from the binary mode. Raises EnvelopeError for what is neither JSON nor UTF-8."""
    media, charset = _media_type(content_type, name)
    if charset not in ("", "utf-8", "us-ascii"):
        raise header_invalid(name, "must be in UTF-8")
    if media == "application/cloudevents+json":
        return True
    if media.startswith("application/cloudevents"):
        raise header_invalid("content-type", "must be application/cloudevents+json: no batches, no other formats")
    if media == "application/json" or (media.startswith("application/") and media.endswith("+json")):
        return False
    raise header_invalid(name, "must be application/json or application/cloudevents+json")


def attribute(name: str, raw: bytes) -> str:
    """Decode one attribute: UTF-8, 1 to 255 characters, printable."""
    try:
        value = raw.decode()
    except UnicodeDecodeError:
        raise EnvelopeError(ContractCode.INVALID_UNICODE, "is not valid UTF-8", name) from None
    except AttributeError:  # Kafka allows a header without a value, clients hand it over as None
        raise header_invalid(name, "is empty") from None
    if 0 < len(value) <= MAX_ATTRIBUTE_CHARS and value.isprintable():
        return value
    return checked(name, value)


def checked(name: str, value: str) -> str:
    """Check the length and the characters of one decoded attribute."""
    if not value:
        raise header_invalid(name, "is empty")
    if len(value) > MAX_ATTRIBUTE_CHARS:
        raise header_invalid(name, f"is longer than {MAX_ATTRIBUTE_CHARS} characters")
    if not value.isprintable():
        reason = "holds a control character or another one that cannot be printed"
        raise EnvelopeError(ContractCode.CONTROL_CHARACTER, reason, name)
    return value


def timestamp(name: str, value: str) -> datetime:
    """Read an RFC 3339 time with its zone; return it in UTC. Fractions below a microsecond are dropped."""
    reason = "must be an RFC 3339 time with its zone, such as 2026-03-01T12:00:00Z"
    if _RFC3339.fullmatch(value) is None:
        raise header_invalid(name, reason)
    try:
        parsed = datetime.fromisoformat(value.upper())
        return parsed if parsed.tzinfo is UTC else parsed.astimezone(UTC)
    except (ValueError, OverflowError):  # no such day, or a zone that leaves the years 1 to 9999
        raise header_invalid(name, reason) from None


def header_invalid(name: str, reason: str) -> EnvelopeError:
    """Build the error for one wrong header or attribute."""
    return EnvelopeError(ContractCode.HEADER_INVALID, reason, name)


def _media_type(content_type: bytes, name: str) -> tuple[str, str]:
    try:
        media, _, parameters = content_type.decode("ascii").lower().partition(";")
    except (UnicodeDecodeError, AttributeError):
        raise header_invalid(name, "is not a media type") from None
    charset = ""
    for parameter in parameters.split(";"):
        key, _, value = parameter.partition("=")
        if key.strip() == "charset":
            charset = value.strip().strip('"')
    return media.strip(), charset
