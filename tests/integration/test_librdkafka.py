"""Another client family at both ends: librdkafka publishes as the shop, librdkafka reads as the carriers."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from schemas import address
from tests.support import lethe, verdict
from tests.support.endpoints import Endpoints
from tests.support.worker_process import worker_process
from workers import carriers as carrier_files
from workers.cli.samples import orders as sample_orders


def test_orders_reach_carriers_through_librdkafka(stack: Endpoints, prefix: str, database: str, tmp_path: Path) -> None:
    settings = lethe.prepare(stack, prefix, database, tmp_path)
    carriers = carrier_files.load(settings.carriers_dir)
    since = datetime.now(UTC) - timedelta(hours=1)
    events = list(sample_orders.orders(300, 5, carriers, since, follow_ups=True))
    lethe.publish(settings, events)
    with worker_process(settings):
        lethe.wait_drained(settings)
    verdict.judge(verdict.expect(events, carriers), lethe.read_carriers(settings))
    for name in carriers:
        for record in lethe.read_topics(settings, [f"carrier.{name}.addresses"]):
            model = lethe.decode(record)
            assert model.shipment_id == (record.key or b"").decode()
            if isinstance(model, address.ShipmentAddress):
                assert model.carrier == name
                assert set(model.address.model_dump(exclude_none=True)) <= set(carriers[name].fields)
