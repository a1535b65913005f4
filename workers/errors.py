"""Every error of Lethe, named for what happens to the message.

    LetheError
    ├── Refused               the event is parked, sealed, with its reason; the pipeline goes on
    ├── Retry                 the same batch is tried again in place, with backoff
    │   └── KeyNotHere            a new key epoch has not arrived in this keyring yet
    ├── PartitionLost         the batch is dropped: another worker owns the partition now
    ├── Stop                  the worker ends before anything more is acknowledged; a person must act
    │   ├── ParkingLimit          too many refusals in a row: something systemic, not bad events
    │   ├── PositionBelowLog      the log no longer holds what comes next
    │   ├── PositionUnknown       the database and Kafka disagree about what was published
    │   ├── DatabaseRestored      the database is older than Kafka or the keyring: erasures must be replayed first
    │   └── KeyMissing            a key epoch that sealed rows need is not in the keyring
    └── UsageError            nothing happened: the command or a setting is wrong; the text says what to do

No message of these errors holds personal data: they name fields, positions and codes, never values.
"""

from enum import StrEnum


class RefusalCode(StrEnum):
    """Why an event was parked. Stable: operators filter on it and metrics are labelled with it."""

    ADDRESS_INCOMPLETE = "address_incomplete"
    ADDRESS_INVALID = "address_invalid"
    ADDRESS_TOO_LONG = "address_too_long"
    BODY_TOO_LARGE = "body_too_large"
    CARD_DATA = "card_data"
    CONSENT_STATE = "consent_state"
    CONTACT_MISSING = "contact_missing"
    CONTROL_CHARACTER = "control_character"
    DATABASE_REFUSED = "database_refused"
    DUPLICATE_KEY = "duplicate_key"
    EMAIL_INVALID = "email_invalid"
    HEADER_INVALID = "header_invalid"
    HEADER_MISSING = "header_missing"
    INTERNAL_ERROR = "internal_error"
    INVALID_FIELD = "invalid_field"
    INVALID_JSON = "invalid_json"
    INVALID_UNICODE = "invalid_unicode"
    KEY_INVALID = "key_invalid"
    ORDER_CONFLICT = "order_conflict"
    ORDER_STATE = "order_state"
    ORDER_UNKNOWN = "order_unknown"
    POLICY_CONFLICT = "policy_conflict"
    REQUEST_STATE = "request_state"
    REQUEST_UNKNOWN = "request_unknown"
    SUBJECT_ERASED = "subject_erased"
    SUBJECT_FENCED = "subject_fenced"
    TIME_IMPLAUSIBLE = "time_implausible"
    TOO_DEEP = "too_deep"
    TYPE_UNKNOWN = "type_unknown"
    UNKNOWN_CARRIER = "unknown_carrier"
    UNKNOWN_PURPOSE = "unknown_purpose"
    UNKNOWN_STORE = "unknown_store"
    VERSION_UNKNOWN = "version_unknown"


class LetheError(Exception):
    """Base of all."""


class Refused(LetheError):
    """The event is parked, sealed, with its reason; the pipeline goes on.

    `reason` is written for a clerk: plain words, no value of the event in it. `field` is a dotted path.
    `keep_body` is False where not even a sealed copy may be kept (card data).
    """

    def __init__(self, code: RefusalCode, reason: str, field: str | None = None, keep_body: bool = True) -> None:
        super().__init__(code, reason, field, keep_body)
        self.code = code
        self.reason = reason
        self.field = field
        self.keep_body = keep_body

    def __str__(self) -> str:
        where = f" ({self.field})" if self.field else ""
        return f"{self.code}: {self.reason}{where}"


class Retry(LetheError):
    """A dependency is away or busy; the same batch is tried again in place, with backoff."""


class KeyNotHere(Retry):
    """A key epoch that a rotation made elsewhere has not arrived in this host's keyring yet."""


class PartitionLost(LetheError):
    """Another worker owns the partition now; the batch is dropped here and applied there."""


class Stop(LetheError):
    """The worker ends before anything more is acknowledged; a person must act."""


class ParkingLimit(Stop):
    """Too many refusals in a row: a wrong deployment or schema, not bad events."""


class PositionBelowLog(Stop):
    """The stored position is below the log's start: records were deleted before they were applied."""


class PositionUnknown(Stop):
    """PostgreSQL and Kafka disagree about what was published; going on could repeat or lose records."""


class DatabaseRestored(Stop):
    """The database was restored from a backup: who was erased since would be back if a worker ran."""


class KeyMissing(Stop):
    """A key epoch or look-up key that stored rows need is not in the keyring."""


class UsageError(LetheError):
    """The command or a setting is wrong; nothing was done. The text says what to do."""
