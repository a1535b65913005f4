"""The worker `stores` on real Kafka and PostgreSQL: from a task on the topic to the receipt, across kill -9."""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import yaml

from schemas import registry
from schemas.store import StoreReceipt
from tests.integration.stores.conftest import start
from tests.support import lethe
from tests.support.endpoints import Endpoints
from tests.support.orders import Published
from tests.support.sites.site import Site
from tests.support.stores import customers, task
from tests.support.waiting import wait_until
from tests.support.worker_process import WorkerProcess, worker_process
from workers.settings import Settings
from workers.stores import directory
from workers.stores.directory import Store

PEOPLE, OTHERS = customers(40), customers(20, start=500)
WORKERS = ("stores", "relay")


@pytest.fixture
async def site(stack: Endpoints, tmp_path: Path) -> AsyncIterator[Site]:
    async with AsyncExitStack() as resources:
        yield await start("postgresql", stack, tmp_path, resources)


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path, site: Site) -> Settings:
    folder = tmp_path / "stores"
    folder.mkdir()
    for name, enabled in (("webshop", True), ("off", False)):
        head = {**site.store.model_dump(mode="json", exclude={"public_key"}), "name": name, "enabled": enabled}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(head))
    return lethe.prepare(
        stack, prefix, database, tmp_path, stores_dir=folder, store_lease_s=1, store_retry_initial_s=0.1
    )


def publish(settings: Settings, at: Store, *actions: str) -> list[str]:
    """One task after the other; their ids."""
    given = [task(at, action, PEOPLE) for action in actions]  # type: ignore[arg-type]  # an action
    events = []
    for one in given:
        headers = {"ce_specversion": "1.0", "ce_id": str(one.task_id), "ce_source": "lethe", "ce_type": "store.task",
                   "ce_time": one.issued_at.isoformat(), "content-type": "application/json"}  # fmt: skip
        events.append(Published(at.name.encode(), [(k, v.encode()) for k, v in headers.items()], registry.encode(one)))
    lethe.publish(settings, events, "store-tasks")
    return [str(one.task_id) for one in given]


def receipts(settings: Settings) -> list[StoreReceipt]:
    """In log order."""
    found = [lethe.decode(one) for one in lethe.read_topics(settings, ["store-receipts"])]
    assert all(isinstance(one, StoreReceipt) for one in found)
    return found


def wait_for(settings: Settings, count: int, worker: WorkerProcess) -> list[StoreReceipt]:
    wait_until(lambda: len(receipts(settings)) >= count, 90, lambda: worker.log[-3000:], poll_s=0.3)
    return receipts(settings)


async def test_from_the_task_to_the_receipt(settings: Settings, site: Site) -> None:
    await site.plant(PEOPLE)
    await site.plant(OTHERS)
    before = await site.content(OTHERS)
    webshop = directory.load(settings.stores_dir, settings.keyring_dir)["webshop"]
    erase, verify = publish(settings, webshop, "erase", "verify")
    with worker_process(settings, WORKERS) as worker:
        first, second = wait_for(settings, 2, worker)
        log, metrics = worker.log, worker.get("/metrics")[1]
    assert (str(first.task_id), {one.outcome for one in first.results}) == (erase, {"erased"})
    assert (str(second.task_id), {one.outcome for one in second.results}) == (verify, {"absent"})
    assert await site.content(OTHERS) == before
    assert "example.org" not in log
    assert f'action="erase",outcome="erased",store="webshop"}} {len(PEOPLE)}.0' in metrics


@pytest.mark.parametrize("label", ["stores.claimed", "stores.done", "stores.before_receipt", "batch.before_commit"])
async def test_whoever_is_killed_the_task_is_answered_once(settings: Settings, site: Site, label: str) -> None:
    """The erasure may be repeated, the receipt is one: it and the end of the job are one transaction."""
    await site.plant(PEOPLE)
    webshop = directory.load(settings.stores_dir, settings.keyring_dir)["webshop"]
    with worker_process(settings, WORKERS, crash_at=f"{label}:1", ready=False) as worker:
        (erase,) = publish(settings, webshop, "erase")
        assert worker.wait() == -9
    assert receipts(settings) == []
    with worker_process(settings, WORKERS) as worker:
        (verify,) = publish(settings, webshop, "verify")
        found = wait_for(settings, 2, worker)
    assert [str(one.task_id) for one in found] == [erase, verify]
    assert [{one.outcome for one in receipt.results} for receipt in found] == [{"erased"}, {"absent"}]
    assert [await site.is_empty_of(person) for person in PEOPLE] == [True] * len(PEOPLE)


def test_a_worker_does_not_begin_with_a_wrong_store_file(settings: Settings, tmp_path: Path) -> None:
    shutil.copy(settings.stores_dir / "off.yaml", settings.stores_dir / "other.yaml")
    with worker_process(settings, WORKERS, ready=False) as worker:
        assert worker.wait() != 0
        assert "rename the file to off.yaml" in worker.log
