"""The examples of the README, run as they stand: what a shop publishes, what a carrier reads."""

import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka.partitioner import DefaultPartitioner

from tests.support import lethe, orders
from tests.support.endpoints import Endpoints
from tests.support.erasure import rows
from tests.support.waiting import wait_until
from tests.support.worker_process import worker_process
from workers.settings import Settings

README = (Path(__file__).parents[2] / "README.md").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
KCAT = re.findall(r"^    (echo .*?application/json)$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path) -> Settings:
    return lethe.prepare(stack, prefix, database, tmp_path)


def here(example: str, settings: Settings) -> str:
    """The example for this test's broker and topics, and without its patience at the end."""
    changed = example.replace("127.0.0.1:19092", settings.kafka_bootstrap).replace("poll(30)", "poll(5)")
    for topic in ("orders", "carrier.gls.addresses", "carrier.gls.receipts"):
        for before in ('"', "-t "):
            changed = changed.replace(before + topic, before + settings.topic(topic))
    return changed


def run(*command: str) -> str:
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout


def test_what_the_shop_s_example_publishes_the_carrier_s_example_reads(settings: Settings) -> None:
    publishing, consuming, _ = PYTHON
    run(sys.executable, "-c", here(publishing, settings))
    with worker_process(settings):
        lethe.wait_drained(settings)
    read = run(sys.executable, "-c", here(consuming, settings).replace('"gls"', f'"{settings.prefix}gls"'))
    assert read.startswith("b'A-1001' b'address.assigned' b'{")


def test_the_carrier_s_answer_to_a_withdrawal_reaches_the_ledger(settings: Settings) -> None:
    def answered(action: str) -> list[bool]:
        found = rows(settings, "select acknowledged_at from disclosures where action = $1", action)
        return [row["acknowledged_at"] is not None for row in found]

    run(sys.executable, "-c", here(PYTHON[0], settings))
    with worker_process(settings, ("shipping", "carrier_receipts")) as worker:
        wait_until(lambda: answered("address.assigned") == [False], 30, lambda: worker.log[-2000:])
        cancelled = orders.event("order.cancelled", "A-1001", "c-77", reason="customer", time=datetime.now(UTC))
        lethe.publish(settings, [cancelled])
        lethe.wait_drained(settings)
        answer = here(PYTHON[2], settings).replace("poll(5)", "poll(15)")
        run(sys.executable, "-c", answer.replace('"gls-w', f'"{settings.prefix}gls-w'))
        wait_until(lambda: answered("address.withdrawn") == [True], 30, lambda: worker.log[-2000:])


def test_kcat_s_example_is_the_same_event(settings: Settings) -> None:
    (example,) = KCAT
    line = re.search(r"'(c-77\|.*)' \|$", example, re.MULTILINE)
    assert line is not None
    key, _, value = line[1].partition("|")
    if shutil.which("kcat"):
        run("bash", "-c", here(example, settings))
    else:
        named = [tuple(pair.partition("=")[::2]) for pair in re.findall(r'-H "?([\w-]+=[^ "$]+)', example)]
        headers = [(name, text.encode()) for name, text in named]
        headers.append(("ce_time", b"2026-01-01T00:00:00Z"))
        lethe.publish(settings, [orders.Published(key.encode(), headers, value.encode())])
    with worker_process(settings):
        lethe.wait_drained(settings)
    assert [one.shipment_id for one in lethe.read_carriers(settings, ["gls"])] == ["A-1003"]


def test_every_client_puts_a_customer_into_the_same_partition(settings: Settings) -> None:
    """Java's default is murmur2; what the README's clients are told must be the same."""
    run(sys.executable, "-c", here(PYTHON[0], settings))
    (published,) = [end for end in lethe.ends(settings).items() if end[1]]
    numbers = list(range(settings.orders_partitions))
    assert published == (DefaultPartitioner()(b"c-77", numbers, numbers), 1)
    assert "partitioner=murmur2_random" in KCAT[0]
