"""Events of an order, as an upstream shop publishes them on `orders`, keyed by the customer reference."""

from typing import Annotated, Literal

from schemas import base
from schemas.base import Carrier, Identifier
from schemas.recipient import Recipient


class OrderEvent(base.Contract):
    """What every event of an order says."""

    order_id: Annotated[Identifier, base.identifier("The shop's number of the order; unique within the shop.")]
    customer_ref: Annotated[
        Identifier,
        base.identifier("The shop's reference of the customer; the record's key; never an e-mail address."),
    ]


class OrderPlaced(OrderEvent):
    """An order was placed. Its address goes to the carrier at once, unless it waits for `order.ready`."""

    carrier: Annotated[Carrier, base.plain("The carrier that delivers, by its configured name.")]
    wait_for_ready: Annotated[
        bool, base.plain("Hold the address back until `order.ready` arrives.", base.ORDER_MANAGEMENT)
    ] = False
    contact_consent: Annotated[
        bool,
        base.plain(
            "The person agreed that phone and e-mail go to the carrier for delivery notices.",
            base.COMMUNICATION,
            base.CONSENT,
        ),
    ] = False
    ship_to: Annotated[Recipient, base.plain("Who receives the parcel, and where.")]


class OrderReady(OrderEvent):
    """A waiting order is packed: its address may go to the carrier now."""


class OrderAddressChanged(OrderEvent):
    """The recipient, and with it perhaps the carrier or the consent, changed before delivery."""

    ship_to: Annotated[Recipient, base.plain("The whole new recipient; it replaces the former one.")]
    carrier: Annotated[Carrier | None, base.plain("The new carrier, if it changes; absent keeps the present one.")] = (
        None
    )
    contact_consent: Annotated[
        bool | None,
        base.plain(
            "The new consent to delivery notices, if it changes; absent keeps the former one.",
            base.COMMUNICATION,
            base.CONSENT,
        ),
    ] = None


class OrderCancelled(OrderEvent):
    """The order will not be delivered; the carrier's copy of the address is withdrawn."""

    reason: Annotated[
        Literal["customer", "shop", "payment", "fraud"],
        base.plain("Who or what ended the order.", base.ORDER_MANAGEMENT),
    ]


class OrderDelivered(OrderEvent):
    """The parcel arrived; the carrier's copy of the address is withdrawn."""
