"""Pydantic's validation errors in plain words for people, without the value that was refused."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from schemas import base, store
from schemas.errors import ContractCode, FieldError, FieldErrors

_IDENTIFIER: Final = "must be 1 to 64 letters, digits or . _ : - and begin with a letter or a digit"
_PATTERNS: Final[Mapping[str, tuple[ContractCode, str]]] = {
    base.TEXT_PATTERN: (
        ContractCode.CONTROL_CHARACTER,
        "holds a control, line-break, text-direction or invisible character",
    ),
    base.IDENTIFIER_PATTERN: (ContractCode.INVALID_FIELD, _IDENTIFIER),
    base.CARRIER_PATTERN: (
        ContractCode.INVALID_FIELD,
        "must be 1 to 32 small letters, digits or hyphens and begin with a letter",
    ),
    base.PURPOSE_PATTERN: (
        ContractCode.INVALID_FIELD,
        "must be 1 to 32 small letters, digits or _ and begin with a letter",
    ),
    base.ANY_PURPOSE_PATTERN: (
        ContractCode.INVALID_FIELD,
        "must be * or 1 to 32 small letters, digits or _ and begin with a letter",
    ),
    base.NOTICE_PATTERN: (
        ContractCode.INVALID_FIELD,
        "must be 1 to 32 letters, digits or . _ - and begin with a letter or a digit",
    ),
    base.LANGUAGE_PATTERN: (ContractCode.INVALID_FIELD, "must be a language of two small letters (ISO 639-1)"),
    store.JWE_PATTERN: (ContractCode.INVALID_FIELD, "must be a JWE in compact form, sealed to the store's key"),
    base.PHONE_PATTERN: (
        ContractCode.INVALID_FIELD,
        "must be a phone number: 5 to 32 digits, spaces or ( ) . - / after an optional +",
    ),
    base.EMAIL_PATTERN: (
        ContractCode.INVALID_FIELD,
        "must be an e-mail address: one @ with something on both sides, no white space",
    ),
}

_Context = Mapping[str, Any]
_WORDS: Final[Mapping[str, str | Callable[[_Context], str]]] = {
    "missing": "is missing",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "datetime_type": "must be an RFC 3339 time",
    "datetime_parsing": "must be an RFC 3339 time",
    "datetime_from_date_parsing": "must be an RFC 3339 time",
    "timezone_aware": "must be an RFC 3339 time with its zone",
    "string_too_long": lambda context: f"is longer than {_count(context['max_length'], 'character')}",
    "string_too_short": lambda context: (
        "is empty" if context["min_length"] == 1 else f"is shorter than {context['min_length']} characters"
    ),
    "too_long": lambda context: f"has more than {_count(context['max_length'], 'entry', 'entries')}",
    "too_short": lambda context: f"needs at least {_count(context['min_length'], 'entry', 'entries')}",
    "greater_than_equal": lambda context: f"must be at least {context['ge']}",
    "literal_error": lambda context: f"must be one of {context['expected'].replace(' or ', ', ')}",
}


def field_errors(error: ValidationError) -> FieldErrors:
    """Turn pydantic's errors into ours. Takes no input value into the result."""
    details = error.errors(include_url=False, include_input=False)
    parents = {detail["loc"][:length] for detail in details for length in range(len(detail["loc"]))}
    return FieldErrors(
        [
            _field_error(detail["loc"], detail["type"], detail)
            for detail in details
            # A list whose entries were refused counts as too short as well: that is no second mistake.
            if detail["type"] != "too_short" or detail["loc"] not in parents
        ]
    )


def _field_error(loc: tuple[int | str, ...], kind: str, detail: _Context) -> FieldError:
    path = ".".join(str(part) for part in loc)
    context: _Context = detail.get("ctx", {})
    if kind == "json_invalid":
        return _json_error(str(context.get("error", "")))
    if kind == "string_unicode":
        return FieldError(path, "is not valid Unicode", ContractCode.INVALID_UNICODE)
    if kind == "string_pattern_mismatch":
        code, reason = _PATTERNS.get(context["pattern"], (ContractCode.INVALID_FIELD, "has the wrong form"))
        return FieldError(path, reason, code)
    if kind in ("country_unknown", "counts"):
        return FieldError(path, str(detail["msg"]))
    words = _WORDS.get(kind, "is not valid")
    return FieldError(path, words if isinstance(words, str) else words(context))


def _json_error(message: str) -> FieldError:
    if any(word in message for word in ("surrogate", "unicode", "hex escape")):
        return FieldError("", "is not valid Unicode", ContractCode.INVALID_UNICODE)
    if "recursion" in message:
        return FieldError("", "is nested too deeply", ContractCode.TOO_DEEP)
    _, found, place = message.rpartition(" at line ")
    where = f" (line {place})" if found else ""
    return FieldError("", f"is not valid JSON{where}", ContractCode.INVALID_JSON)


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
