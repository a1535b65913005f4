"""CloudEvents' structured mode: one JSON object that holds attributes and data.

Source: CloudEvents 1.0.2 JSON format. The body rules; a `ce_` header beside it must say the same, since
whoever routes by header would otherwise see another event than whoever reads the body.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NoReturn

from schemas import attributes
from schemas.errors import ContractCode, EnvelopeError

_CONTEXT: Final = frozenset(("specversion", "id", "source", "type", "time", "subject", "dataschema", "datacontenttype"))
_DATA: Final = frozenset(("data", "data_base64"))


def parse(headers: Mapping[str, bytes], value: bytes | None) -> attributes.CloudEvent:
    """Read a structured event. Raises EnvelopeError, which never holds a value of the record."""
    body = _load(value)
    if _required(body, "specversion") != attributes.SPEC_VERSION:
        raise attributes.header_invalid("specversion", "must be 1.0")
    event_id, source, event_type = (_required(body, name) for name in ("id", "source", "type"))
    time = attributes.timestamp("time", _required(body, "time"))
    content_type = _optional(body, "datacontenttype")
    if content_type is not None and attributes.is_structured(content_type.encode(), "datacontenttype"):
        raise attributes.header_invalid("datacontenttype", "must be application/json")
    _same_as_headers(headers, body)
    return attributes.CloudEvent(
        event_id,
        source,
        event_type,
        time,
        _optional(body, "subject"),
        _optional(body, "dataschema"),
        _data(body),
        MappingProxyType({name: _extension(body, name) for name in body if name not in _CONTEXT | _DATA}),
    )


def _load(value: bytes | None) -> dict[str, Any]:
    if value is None:
        raise EnvelopeError(ContractCode.INVALID_JSON, "a structured event needs a body")
    try:
        body = json.loads(value.decode(), object_pairs_hook=_object, parse_constant=_not_a_number)
    except UnicodeDecodeError:
        raise EnvelopeError(ContractCode.INVALID_UNICODE, "the body is not valid UTF-8") from None
    except RecursionError:
        raise EnvelopeError(ContractCode.TOO_DEEP, "the body is nested too deeply") from None
    except ValueError:
        raise EnvelopeError(ContractCode.INVALID_JSON, "the body is not valid JSON") from None
    if not isinstance(body, dict):
        raise EnvelopeError(ContractCode.INVALID_JSON, "the body is not a JSON object")
    return body


def _data(body: Mapping[str, Any]) -> bytes | None:
    if "data_base64" in body:
        return _decoded(body)
    if "data" not in body:
        return None
    try:
        return json.dumps(body["data"], ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise EnvelopeError(ContractCode.INVALID_UNICODE, "holds half of a surrogate pair", "data") from None
    except ValueError:
        raise EnvelopeError(ContractCode.INVALID_JSON, "holds a number out of range", "data") from None


def _decoded(body: Mapping[str, Any]) -> bytes:
    if "data" in body:
        raise EnvelopeError(ContractCode.INVALID_FIELD, "is given together with data", "data_base64")
    encoded = body["data_base64"]
    try:
        return base64.b64decode(encoded if isinstance(encoded, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        raise EnvelopeError(ContractCode.INVALID_FIELD, "is not base64", "data_base64") from None


def _required(body: Mapping[str, Any], name: str) -> str:
    value = _optional(body, name)
    if value is None:
        raise EnvelopeError(ContractCode.HEADER_MISSING, "is missing", name)
    return value


def _optional(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise attributes.header_invalid(name, "must be text")
    return attributes.checked(name, value)


def _extension(body: Mapping[str, Any], name: str) -> str:
    if not (name.isascii() and name.isalnum() and name == name.lower()) or len(name) > 20:
        raise attributes.header_invalid("extension", "has a name that CloudEvents does not allow")
    value = body[name]
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int):
        raise attributes.header_invalid(name, "must be text, a whole number or true or false")
    return attributes.checked(name, str(value))


def _same_as_headers(headers: Mapping[str, bytes], body: Mapping[str, Any]) -> None:
    for header, raw in headers.items():
        known = header if header[3:] in _CONTEXT else "ce_*"
        if header.startswith("ce_") and attributes.attribute(known, raw) != body.get(header[3:]):
            raise attributes.header_invalid(known, "says something else than the structured event does")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) != len(pairs):
        raise EnvelopeError(ContractCode.DUPLICATE_KEY, "an object of the body names a key twice")
    return built


def _not_a_number(_: str) -> NoReturn:
    raise ValueError("not JSON")
