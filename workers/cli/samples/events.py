"""One sample event, ready to be sent with any Kafka client."""

from datetime import datetime
from typing import Final, NamedTuple

from workers.errors import RefusalCode

TOPIC: Final = "orders"
_SPEC_VERSION: Final = ("ce_specversion", b"1.0")
_SOURCE: Final = ("ce_source", b"/shop/sample")
_CONTENT_TYPE: Final = ("content-type", b"application/json")


class SampleEvent(NamedTuple):
    """`topic` is without prefix. `expected` is the refusal that a bad one must meet; None for a good one."""

    topic: str
    key: bytes
    headers: list[tuple[str, bytes]]
    value: bytes
    type: str
    expected: RefusalCode | None = None


def event(event_type: str, event_id: str, customer: str, time: datetime, data: str, topic: str = TOPIC) -> SampleEvent:
    """A CloudEvent in binary mode. `time` must have a zone."""
    headers = [
        _SPEC_VERSION,
        ("ce_id", event_id.encode()),
        _SOURCE,
        ("ce_type", event_type.encode()),
        ("ce_time", time.isoformat().encode()),
        _CONTENT_TYPE,
    ]
    return SampleEvent(topic, customer.encode(), headers, data.encode(), event_type)
