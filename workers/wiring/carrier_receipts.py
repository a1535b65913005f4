"""The worker `carrier_receipts`."""

from workers import carrier_receipts
from workers.carrier_receipts import CarrierReceiptsUnit
from workers.engine import host
from workers.proof.carrier_ledger import CarrierLedger
from workers.wiring import batches
from workers.wiring.parts import Parts, Wired


def wire(app: host.Host, parts: Parts) -> Wired:
    """What every carrier answers, each on its own topic."""
    ledger = CarrierLedger(parts.keyring)
    topics = [carrier_receipts.TOPIC.format(carrier=carrier) for carrier in parts.carriers]
    return batches.wire(
        app, parts, carrier_receipts.NAME, carrier_receipts.TOPIC,
        lambda: CarrierReceiptsUnit(ledger, parts.settings), topics,
    )  # fmt: skip
