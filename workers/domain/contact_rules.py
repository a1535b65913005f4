"""When a phone number or an e-mail address may go to a carrier: named rules that carrier files refer to.

A rule looks at the route only; the person's consent is asked for afterwards, where the rule leaves it to
them. Contact data for delivery notices rests on consent (GDPR Art. 6(1)(a)); where the carrier cannot ship
without it, on the contract (Art. 6(1)(b)). `with_consent_outside_origin` is DHL's condition for parcels
within Germany.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class Sending(StrEnum):
    """What a rule says for one route."""

    NEVER = "never"
    WITH_CONSENT = "with_consent"
    REQUIRED = "required"


class Route(NamedTuple):
    """Where a parcel starts and ends (alpha-2 codes), and the countries that the carrier file lists."""

    origin: str
    destination: str
    listed: frozenset[str] = frozenset()


def never(route: Route) -> Sending:
    """It never leaves."""
    return Sending.NEVER


def with_consent(route: Route) -> Sending:
    """It goes where the person agreed."""
    return Sending.WITH_CONSENT


def required(route: Route) -> Sending:
    """The carrier cannot ship without it: it always goes, and an order without it is refused."""
    return Sending.REQUIRED


def with_consent_outside_origin(route: Route) -> Sending:
    """Never within the country of origin; elsewhere where the person agreed."""
    return Sending.NEVER if route.destination == route.origin else Sending.WITH_CONSENT


def required_cross_border(route: Route) -> Sending:
    """Required across a border; never within the country of origin."""
    return Sending.NEVER if route.destination == route.origin else Sending.REQUIRED


def required_to_listed(route: Route) -> Sending:
    """Required for the countries that the carrier file lists; elsewhere where the person agreed."""
    return Sending.REQUIRED if route.destination in route.listed else Sending.WITH_CONSENT


RULES: Final[Mapping[str, Callable[[Route], Sending]]] = {
    named.__name__: named
    for named in (
        never,
        with_consent,
        required,
        with_consent_outside_origin,
        required_cross_border,
        required_to_listed,
    )
}
