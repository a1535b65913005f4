"""An upstream may publish in transactions: what it aborted never happened."""

from pathlib import Path

from confluent_kafka import Producer

from tests.support import lethe
from tests.support.endpoints import Endpoints
from tests.support.orders import placed
from tests.support.worker_process import worker_process


def test_what_was_aborted_is_not_applied(stack: Endpoints, prefix: str, database: str, tmp_path: Path) -> None:
    settings = lethe.prepare(stack, prefix, database, tmp_path)
    producer = Producer({**settings.kafka_admin, "transactional.id": f"{prefix}shop", "log_level": 0})
    producer.init_transactions()
    with worker_process(settings):
        for number in range(9):
            producer.begin_transaction()
            for one in (placed(f"o{number}a", event_id=f"{number}a"), placed(f"o{number}b", event_id=f"{number}b")):
                producer.produce(settings.topic("orders"), one.value, one.key, headers=list(one.headers))
            producer.flush()
            if number % 3 == 1:
                producer.abort_transaction()
            else:
                producer.commit_transaction()
        lethe.publish(settings, [placed("last", event_id="last")])
        lethe.wait_drained(settings)
    received = [(record.key or b"").decode() for record in lethe.read_topics(settings, ["carrier.gls.addresses"])]
    wanted = [f"o{number}{which}" for number in range(9) if number % 3 != 1 for which in "ab"]
    assert sorted(received) == sorted([*wanted, "last"])
