"""The worker `shipping`."""

from workers import shipping
from workers.engine import host
from workers.wiring import batches
from workers.wiring.parts import Parts, Wired


def wire(app: host.Host, parts: Parts) -> Wired:
    """Orders to carriers."""

    def unit() -> shipping.ShippingUnit:
        return shipping.ShippingUnit(parts.carriers, parts.settings, parts.keyring)

    return batches.wire(app, parts, shipping.NAME, shipping.TOPIC, unit)
