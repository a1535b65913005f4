"""An upstream compresses as it likes: every codec of Kafka's protocol is read."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support import lethe, verdict
from tests.support.endpoints import Endpoints
from tests.support.worker_process import worker_process
from workers import carriers as carrier_files
from workers.cli.samples import orders as sample_orders

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


@pytest.mark.timeout(180)
def test_orders_arrive_whatever_the_codec(stack: Endpoints, prefix: str, database: str, tmp_path: Path) -> None:
    settings = lethe.prepare(stack, prefix, database, tmp_path)
    carriers = carrier_files.load(settings.carriers_dir)
    since = datetime.now(UTC) - timedelta(hours=1)
    events = list(sample_orders.orders(100, 11, carriers, since, follow_ups=True))
    share = len(events) // len(CODECS) + 1
    for number, codec in enumerate(CODECS):
        lethe.publish(settings, events[number * share : (number + 1) * share], codec=codec)
    with worker_process(settings):
        lethe.wait_drained(settings)
    verdict.judge(verdict.expect(events, carriers), lethe.read_carriers(settings))
