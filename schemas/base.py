"""What all models share: frozen, strict in types, open to unknown fields, silent about values.

Strings: single-line text is stripped of surrounding white space when it is read (people copy and paste),
and must then be free of control, bidirectional-override and invisible characters. The JSON Schema for
producers asks for text that is already stripped. An optional text that is empty is read as absent, since
shops send `""` for "none".
"""

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

# C0, DEL, C1; zero-width space; line and paragraph separators and bidirectional embeddings and overrides;
# word joiner; bidirectional isolates; byte order mark; interlinear annotation. Zero-width (non-)joiners and
# the plain direction marks stay allowed: Persian, Sinhala, Malayalam, Hebrew and Arabic names are written
# with them.
FORBIDDEN: Final = r"\u0000-\u001f\u007f-\u009f\u200b\u2028-\u202e\u2060\u2066-\u2069\ufeff\ufff9-\ufffb"
TEXT_PATTERN: Final = rf"^([^\s{FORBIDDEN}]([^{FORBIDDEN}]*[^\s{FORBIDDEN}])?)?$"
IDENTIFIER_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"
CARRIER_PATTERN: Final = r"^[a-z][a-z0-9-]{0,31}$"
PHONE_PATTERN: Final = r"^(\+?[0-9 ().\-/]{5,32})?$"
PURPOSE_PATTERN: Final = r"^[a-z][a-z0-9_]{0,31}$"
ANY_PURPOSE_PATTERN: Final = r"^(\*|[a-z][a-z0-9_]{0,31})$"
NOTICE_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$"
LANGUAGE_PATTERN: Final = r"^[a-z]{2}$"
EMAIL_PATTERN: Final = rf"^([^\s@{FORBIDDEN}]+@[^\s@{FORBIDDEN}]+)?$"

DELIVERY: Final = "dpv:DeliveryOfGoods"
ORDER_MANAGEMENT: Final = "dpv:CustomerOrderManagement"
MARKETING: Final = "dpv:DirectMarketing"
COMMUNICATION: Final = "dpv:CommunicationManagement"
LEGAL_COMPLIANCE: Final = "dpv:LegalCompliance"
RECORDS: Final = "dpv:RecordManagement"
CONTRACT: Final = "eu-gdpr:A6-1-b"
CONSENT: Final = "eu-gdpr:A6-1-a"
LEGAL_OBLIGATION: Final = "eu-gdpr:A6-1-c"
LEGITIMATE_INTEREST: Final = "eu-gdpr:A6-1-f"


class Contract(BaseModel):
    """Base of every model on the wire."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="ignore",
        hide_input_in_errors=True,
        str_strip_whitespace=False,
        ser_json_timedelta="iso8601",
        ser_json_bytes="base64",
        ser_json_inf_nan="null",
        validate_default=False,
        regex_engine="rust-regex",
    )


def text(max_length: int, min_length: int = 0) -> StringConstraints:
    """Single-line text of at most `max_length` code points, stripped, without control characters."""
    return StringConstraints(strip_whitespace=True, min_length=min_length, max_length=max_length, pattern=TEXT_PATTERN)


def phone(min_length: int = 0) -> StringConstraints:
    """A phone number of at most 32 characters, stripped."""
    return StringConstraints(strip_whitespace=True, min_length=min_length, max_length=32, pattern=PHONE_PATTERN)


def email(min_length: int = 0) -> StringConstraints:
    """An e-mail address of at most 254 characters (RFC 5321), stripped; only its shape is checked."""
    return StringConstraints(strip_whitespace=True, min_length=min_length, max_length=254, pattern=EMAIL_PATTERN)


def personal(description: str, category: str, purpose: str = DELIVERY, basis: str = CONTRACT) -> FieldInfo:
    """Describe a field of personal data: its W3C DPV 2.3 category (`pd:`), purpose and legal basis."""
    return _described(description, {"x-personal-data": category, "x-purpose": purpose, "x-legal-basis": basis})


def plain(description: str, purpose: str = DELIVERY, basis: str = CONTRACT) -> FieldInfo:
    """Describe a field that says nothing about a person by itself."""
    return _described(description, {"x-purpose": purpose, "x-legal-basis": basis})


def identifier(description: str, purpose: str = ORDER_MANAGEMENT) -> FieldInfo:
    """Describe a declared identifier: a pseudonym, never an e-mail; not screened for card numbers."""
    return _described(
        description,
        {"x-identifier": True, "x-personal-data": "pd:UID", "x-purpose": purpose, "x-legal-basis": CONTRACT},
    )


def blank_to_none(value: str) -> str | None:
    """An empty optional text is the same as none at all."""
    return value or None


def _described(description: str, extra: JsonDict) -> FieldInfo:
    info: FieldInfo = Field(description=description, json_schema_extra=extra)
    return info


BLANK_IS_NONE: Final = AfterValidator(blank_to_none)
Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER_PATTERN, max_length=64)]
Carrier = Annotated[str, StringConstraints(pattern=CARRIER_PATTERN, max_length=32)]
PurposeName = Annotated[str, StringConstraints(pattern=PURPOSE_PATTERN, max_length=32)]
AnyPurposeName = Annotated[str, StringConstraints(pattern=ANY_PURPOSE_PATTERN, max_length=32)]
Notice = Annotated[str, StringConstraints(pattern=NOTICE_PATTERN, max_length=32)]
Language = Annotated[str, StringConstraints(pattern=LANGUAGE_PATTERN, max_length=2)]
