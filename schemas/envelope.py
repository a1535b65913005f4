"""CloudEvents 1.0 over Kafka: read both content modes, write the binary one.

Source: CloudEvents 1.0.2, its JSON format and its Kafka protocol binding. Lethe is stricter than they are: no `ce_`
header may occur twice, data is JSON (`attributes` has the rest). The binary mode is the hot path; `structured` reads
the other one.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from schemas import structured
from schemas.attributes import (
    JSON_CONTENT_TYPE,
    NO_EXTENSIONS,
    CloudEvent,
    attribute,
    header_invalid,
    is_structured,
    timestamp,
)
from schemas.errors import ContractCode, EnvelopeError

Headers = Sequence[tuple[str, bytes]]

_CONTEXT: Final = frozenset(
    ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_dataschema")
)
_EXTENSION_NAME: Final = re.compile(r"ce_[a-z0-9]{1,20}")


def parse(headers: Headers, value: bytes | None) -> CloudEvent:
    """Read one record's headers and value. Raises EnvelopeError, which never holds a value of the record."""
    found = dict(headers)
    if len(found) != len(headers):
        _refuse_duplicates(headers)
    content_type = found.get("content-type")
    if content_type is not None and content_type != JSON_CONTENT_TYPE and is_structured(content_type):
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
        NO_EXTENSIONS if known == len(found) else _extensions(found),
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
    return MappingProxyType(extensions) if extensions else NO_EXTENSIONS


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
