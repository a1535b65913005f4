"""What can be wrong with an event before anybody looks at its meaning.

The codes have the same text as the refusal codes of the workers; a worker turns one into the other by its
value. Nothing here ever holds a value of the event: only names of fields, rules and positions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class ContractCode(StrEnum):
    """Why an event breaks the contract. Stable."""

    CONTROL_CHARACTER = "control_character"
    DUPLICATE_KEY = "duplicate_key"
    HEADER_INVALID = "header_invalid"
    HEADER_MISSING = "header_missing"
    INVALID_FIELD = "invalid_field"
    INVALID_JSON = "invalid_json"
    INVALID_UNICODE = "invalid_unicode"
    TOO_DEEP = "too_deep"
    TYPE_UNKNOWN = "type_unknown"
    VERSION_UNKNOWN = "version_unknown"


class ContractError(Exception):
    """An event that the contract does not allow. `reason` is for a person, `field` is a dotted path."""

    def __init__(self, code: ContractCode, reason: str, field: str | None = None) -> None:
        super().__init__(code, reason, field)
        self.code = code
        self.reason = reason
        self.field = field

    def __str__(self) -> str:
        where = f" ({self.field})" if self.field else ""
        return f"{self.code}: {self.reason}{where}"


class EnvelopeError(ContractError):
    """The CloudEvents envelope is wrong: a header, an attribute, or a structured body that is not JSON."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: its dotted path (a list's entries count from 0), the reason in plain words, the code.

    An empty path is the data as a whole.
    """

    field: str
    reason: str
    code: ContractCode = ContractCode.INVALID_FIELD

    def __str__(self) -> str:
        return f"{self.field or 'the data'} {self.reason}"


class FieldErrors(ContractError):  # it holds several
    """The data does not fit its model. `errors` has every wrong field; code and field are the first one's.

    `reason` says what is wrong with `field`, then names up to four more fields with their reasons.
    """

    shown = 5

    def __init__(self, errors: Sequence[FieldError]) -> None:
        self.errors = tuple(errors)
        first = self.errors[0]
        super().__init__(first.code, self._sentence(first), first.field or None)

    def _sentence(self, first: FieldError) -> str:
        reason = first.reason if first.field else str(first)
        others = [str(error) for error in self.errors[1 : self.shown]]
        if len(self.errors) > self.shown:
            others.append(f"{len(self.errors) - self.shown} more")
        return f"{reason}, also: {'; '.join(others)}" if others else reason
