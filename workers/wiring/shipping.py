"""The worker `shipping`."""

from workers import shipping
from workers.engine import host
from workers.wiring import batches
from workers.wiring.parts import Parts, Wired


def wire(app: host.Host, parts: Parts) -> Wired:
    """Orders to carriers."""
    return batches.wire(
        app, parts, shipping.NAME, shipping.TOPIC, lambda: shipping.ShippingUnit(parts.carriers, parts.settings)
    )
