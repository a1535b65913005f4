"""CloudEvents 1.0 over Kafka: read both content modes, write the binary one.

Source: CloudEvents 1.0.2, its JSON format and its Kafka protocol binding. Lethe is stricter than they are:
`time` is required, attributes hold no unprintable characters (no header can be smuggled into a log or a
request), no `ce_` header may occur twice, data is JSON. The binary mode is the hot path; `structured` reads
the other one.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from schemas.errors import ContractCode, EnvelopeError

SPEC_VERSION: Final = "1.0"
MAX_ATTRIBUTE_CHARS: Final = 255
JSON_CONTENT_TYPE: Final = b"application/json"

Headers = Sequence[tuple[str, bytes]]

_NO_EXTENSIONS: Final[Mapping[str, str]] = MappingProxyType({})
_CONTEXT: Final = frozenset(
    ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_dataschema")
)
_EXTENSION_NAME: Final = re.compile(r"ce_[a-z0-9]{1,20}")
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
    extensions: Mapping[str, str] = _NO_EXTENSIONS


def parse(headers: Headers, value: bytes | None) -> CloudEvent:
    """Read one record's headers and value. Raises EnvelopeError, which never holds a value of the record."""
    found = dict(headers)
    if len(found) != len(headers):
        _refuse_duplicates(headers)
    content_type = found.get("content-type")
    if content_type is not None and content_type != JSON_CONTENT_TYPE and is_structured(content_type):
        from schemas import structured  # a cycle otherwise: the structured mode builds the same CloudEvent

        return structured.parse(found, value)
    try:
        version, event_id, source = found["ce_specversion"], found["ce_id"], found["ce_source"]
        event_type, time = found["ce_type"], found["ce_time"]
    except KeyError as missing:
        raise _missing(found, str(missing.args[0])) from None
    if version != b"1.0":
        raise header_invalid("ce_specversion", "must be 1.0")
    subject, schema = found.get("ce_subject"), found.get("ce_dataschema")
    known = 5 + (content_type is not None) + (subject is not None) + (schema is not None)
    return CloudEvent(
        attribute("ce_id", event_id),
        _frequent("ce_source", source),
        _frequent("ce_type", event_type),
        timestamp("ce_time", attribute("ce_time", time)),
        None if subject is None else attribute("ce_subject", subject),
        None if schema is None else _frequent("ce_dataschema", schema),
        value,
        _NO_EXTENSIONS if known == len(found) else _extensions(found),
    )


def to_headers(event: CloudEvent) -> list[tuple[str, bytes]]:
    """Return the headers of the binary mode; the record's value is `event.data`."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", event.id.encode()),
        ("ce_source", event.source.encode()),
        ("ce_type", event.type.encode()),
        ("ce_time", event.time.astimezone(UTC).isoformat().replace("+00:00", "Z").encode()),
    ]
    if event.subject is not None:
        headers.append(("ce_subject", event.subject.encode()))
    if event.dataschema is not None:
        headers.append(("ce_dataschema", event.dataschema.encode()))
    headers.extend((f"ce_{name}", value.encode()) for name, value in event.extensions.items())
    if event.data is not None:
        headers.append(("content-type", JSON_CONTENT_TYPE))
    return headers


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


@lru_cache(maxsize=1024)
def _frequent(name: str, raw: bytes) -> str:
    # A shop has few sources, types and schemas: what was checked once need not be decoded and checked again.
    return attribute(name, raw)


def _extensions(found: Mapping[str, bytes]) -> Mapping[str, str]:
    extensions = {}
    for name, raw in found.items():
        if not name.startswith("ce_") or name in _CONTEXT:
            continue
        if _EXTENSION_NAME.fullmatch(name) is None:
            raise header_invalid("ce_*", "has a name that CloudEvents does not allow: a-z and 0-9, at most 20")
        extensions[name[3:]] = attribute(name, raw)
    return MappingProxyType(extensions) if extensions else _NO_EXTENSIONS


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


def _missing(found: Mapping[str, bytes], name: str) -> EnvelopeError:
    reason = "is missing"
    if not any(header in _CONTEXT for header in found):
        reason = "is missing, as are all CloudEvents headers; a structured event needs its content-type"
    return EnvelopeError(ContractCode.HEADER_MISSING, reason, name)


def _refuse_duplicates(headers: Headers) -> None:
    seen = set()
    for name, _ in headers:
        if name in seen and (name.startswith("ce_") or name == "content-type"):
            raise header_invalid(name if name in _CONTEXT else "ce_*", "occurs more than once")
        seen.add(name)
