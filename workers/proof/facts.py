"""What was done for one request, as a certificate states it: places, times, counts, grounds. No personal data.

Two words are kept apart (EDPB, CEF 2025: masking or hashing is not deletion):

    deleted               the rows are gone, and a later look of the store itself found none
    rendered unreadable   sealed copies may remain (write-ahead log, replicas, backups); the key to them was destroyed
"""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

Outcome = Literal["completed", "partly_completed"]

LEFT_OUT = "[left out]"
_WORDS_MAX_CHARS = 300
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_ADDRESS = re.compile(r"\S*@\S*")
# Phone, card and order numbers; a day such as 2036-12-31 has eight digits.
_LONG_NUMBER = re.compile(r"\+?\d(?:[ ./()-]{0,2}\d){8,}")


def without_personal_data(value: object) -> object:
    """One line of text in which e-mail addresses and long numbers are struck out.

    Stores give reasons in words of their own. A name or a street in them cannot be told from other words: the protocol
    forbids it, this is the net below.
    """
    if not isinstance(value, str):
        return value
    line = " ".join(_CONTROL.sub(" ", value).split())
    return _LONG_NUMBER.sub(LEFT_OUT, _ADDRESS.sub(LEFT_OUT, line))[:_WORDS_MAX_CHARS].strip()


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("must have a time zone")
    return value.astimezone(UTC)


Words = Annotated[
    str, BeforeValidator(without_personal_data), StringConstraints(min_length=1, max_length=_WORDS_MAX_CHARS)
]
TopicName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]+$", max_length=249)]
"""As Kafka allows it: named by the shop, not by a store, and searched for under just this name."""
Moment = Annotated[datetime, AfterValidator(_in_utc)]
MAX_COUNT = 2**53 - 1  # exact in every reader of JSON (RFC 8785, 3.2.2.3)
Number = Annotated[int, Field(ge=0, le=MAX_COUNT)]


class Part(BaseModel):
    """Base of what a certificate is made of: frozen, strict, closed."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)


class Deleted(Part):
    """How many of what a place has deleted: a table, a kind of object."""

    what: Words
    count: Number


class Kept(Part):
    """What stays, on which legal ground, until when; None where the ground names no end."""

    what: Words
    ground: Words
    until: date | None = None


class Unreadable(Part):
    """Copies that nobody can open any more: the key epoch that their keys were wrapped by, and its destruction."""

    key_epoch: Number
    destroyed_at: Moment


class StoreProof(Part):
    """One store, downstream or of Lethe itself.

    `verified_absent_at`: when the store looked again and found nothing but what is `kept`. Either that (of Lethe's own
    places: or `rendered_unreadable`) is given, or `not_confirmed` says why it is not.
    """

    name: Words
    kind: Words
    deleted: tuple[Deleted, ...] = ()
    verified_absent_at: Moment | None = None
    rendered_unreadable: Unreadable | None = None
    kept: tuple[Kept, ...] = ()
    backups_expire_on: date | None = None
    not_confirmed: Words | None = None


class SharedTopic(Part):
    """A topic that others own or read too, so that Lethe may not trim it: the day when the last bytes have gone."""

    retention_days: Number
    gone_on: date


class TopicProof(Part):
    """One topic that the person's events came by: trimmed past the last one, or shared, or not confirmed."""

    topic: TopicName
    trimmed_at: Moment | None = None
    shared: SharedTopic | None = None
    not_confirmed: Words | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if sum(one is not None for one in (self.trimmed_at, self.shared, self.not_confirmed)) != 1:
            raise ValueError("a topic was trimmed, is shared, or is not confirmed: exactly one of them")
        return self


class CarrierProof(Part):
    """One carrier that had received addresses (GDPR 19): told when, and how many shipments it has acknowledged.

    Of those that it acknowledged it says of `kept` that it keeps the address on a legal ground of its own.
    `gone_from_topic_at`: when a look at the carrier's topic found no address of these shipments. What a carrier does
    inside its own systems only its acknowledgement says.
    """

    carrier: Words
    shipments: Annotated[int, Field(ge=1, lt=2**53)]
    told_at: Moment
    acknowledged: Number = 0
    acknowledged_at: Moment | None = None
    kept: Number = 0
    gone_from_topic_at: Moment | None = None
    not_confirmed: Words | None = None

    @model_validator(mode="after")
    def _counts_agree(self) -> Self:
        is_timed = self.acknowledged_at is not None
        if not self.kept <= self.acknowledged <= self.shipments or (self.acknowledged > 0) != is_timed:
            raise ValueError("acknowledged shipments have a time, and are no more than those told of")
        return self


class Facts(Part):
    """What became of one request. `fenced_at` is the effective moment: nothing about the person left after it.

    Raises ValueError where the outcome `completed` claims more than the parts do: a false certificate cannot be made.
    """

    request_id: UUID
    outcome: Outcome
    received_at: Moment
    verified_at: Moment | None = None
    fenced_at: Moment
    completed_at: Moment
    stores: tuple[StoreProof, ...] = ()
    own_stores: tuple[StoreProof, ...] = ()
    topics: tuple[TopicProof, ...] = ()
    carriers: tuple[CarrierProof, ...] = ()

    @model_validator(mode="after")
    def _claims_what_it_shows(self) -> Self:
        silent = [one.name for one in self.stores if one.verified_absent_at is None and one.not_confirmed is None]
        silent += [
            one.name
            for one in self.own_stores
            if one.verified_absent_at is None and one.rendered_unreadable is None and one.not_confirmed is None
        ]
        if silent:
            raise ValueError(f"neither proof of absence nor a reason why there is none: {', '.join(silent)}")
        if self.outcome == "completed" and self.unconfirmed:
            raise ValueError(f"cannot be completed, not confirmed are: {', '.join(self.unconfirmed)}")
        return self

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """The places that are not confirmed, by name."""
        places = [(one.name, one.not_confirmed) for one in (*self.stores, *self.own_stores)]
        places += [(one.topic, one.not_confirmed) for one in self.topics]
        places += [(one.carrier, one.not_confirmed) for one in self.carriers]
        return tuple(name for name, reason in places if reason is not None)
