"""The examples of `deploy/stores/README.md`, run as they stand on a real broker: a store in another program."""

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas import registry
from schemas.store import StoreReceipt, StoreTask
from tests.support import java, lethe, stores
from tests.support.endpoints import Endpoints
from tests.support.orders import Published, record
from tests.support.stores import Customer, customers, task
from tests.support.waiting import wait_until
from workers.engine.admission import Admission, Event
from workers.settings import Settings
from workers.stores import jwe
from workers.stores.directory import Store
from workers.vault import keyring

README = (Path(__file__).parents[3] / "deploy/stores/README.md").read_text()
ADA, BO, CY = customers(3)


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path) -> Settings:
    return lethe.prepare(stack, prefix, database, tmp_path)


def example(language: str, settings: Settings) -> str:
    """The example for this test's broker and topics."""
    (code,) = re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    code = code.replace("127.0.0.1:19092", settings.kafka_bootstrap)
    for topic in ("store-tasks", "store-receipts"):
        code = code.replace(f'"{topic}"', f'"{settings.topic(topic)}"')
    return code.replace('"group.id": STORE', f'"group.id": "{settings.prefix}" + STORE').replace(
        '"group.id", STORE', f'"group.id", "{settings.prefix}" + STORE'
    )


def external(name: str, folder: Path) -> Store:
    """A system with a key of its own in `folder`, and the store file's view of it."""
    key = jwe.generate()
    (folder / f"{name}.jwk").write_text(json.dumps(key.as_dict(private=True)))
    public = jwe.public_text(key)
    made = stores.store("external", {}, name=name, public_key=public, identifiers=["email"])
    return made.model_copy(update={"key": jwe.public(public)})


@contextmanager
def running(command: Sequence[str], folder: Path) -> Iterator[None]:
    """The program, until the test has its answers."""
    with (folder / "program.log").open("wb") as log:
        program = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield
            assert program.poll() is None, (folder / "program.log").read_text()[-2000:]
        finally:
            program.kill()
            program.wait()


def asked(settings: Settings, given: StoreTask) -> StoreReceipt:
    """Publish a task, wait for its receipt, and read that as the worker `requests` does."""
    headers = {"ce_specversion": "1.0", "ce_id": str(given.task_id), "ce_source": "lethe", "ce_type": "store.task",
               "ce_time": given.issued_at.isoformat(), "content-type": "application/json"}  # fmt: skip
    event = Published(given.store.encode(), [(k, v.encode()) for k, v in headers.items()], registry.encode(given))
    lethe.publish(settings, [event], "store-tasks")
    found: list[StoreReceipt] = []

    def answered() -> bool:
        found[:] = [one for one in receipts(settings) if one.task_id == given.task_id]
        return bool(found)

    wait_until(answered, 60, f"no receipt for {given.action}", poll_s=0.2)
    return found[0]


def receipts(settings: Settings) -> list[StoreReceipt]:
    """What admission lets through: key, envelope, model."""
    admission = Admission("test", "store-receipts", keyring.load(settings.keyring_dir), settings)
    found = []
    for one in lethe.read_topics(settings, ["store-receipts"]):
        read = record(Published(one.key, list(one.headers.items()), one.value), one.offset)
        event = admission.admit(read, stores.datetime.now(stores.UTC))
        assert isinstance(event, Event), event
        assert isinstance(event.data, StoreReceipt)
        assert one.key == event.data.store.encode()
        found.append(event.data)
    return found


def outcomes(settings: Settings, at: Store, action: stores.Action, people: Sequence[Customer]) -> list[str]:
    """Ask for people; what the store says of each."""
    given = task(at, action, people)
    receipt = asked(settings, given)
    assert [one.subject_ref for one in receipt.results] == [one.subject_ref for one in given.subjects]
    return [one.outcome for one in receipt.results]


def speaks_the_protocol(settings: Settings, at: Store) -> None:
    """ADA and BO are there, CY is not; the store opens what is sealed to it, erases, and finds nothing later."""
    assert outcomes(settings, at, "find", [ADA, BO, CY]) == ["present", "present", "absent"]
    assert outcomes(settings, at, "erase", [ADA, CY]) == ["erased", "nothing_found"]
    assert outcomes(settings, at, "verify", [ADA, BO, CY]) == ["absent", "present", "absent"]
    assert outcomes(settings, at, "erase", [ADA]) == ["nothing_found"]


def test_in_python(settings: Settings, tmp_path: Path) -> None:
    at = external("loyalty", tmp_path)
    database = sqlite3.connect(tmp_path / "loyalty.db", isolation_level=None)
    database.execute("create table points (email text, points integer)")
    database.executemany("insert into points values (?, 7)", [(ADA.email,), (ADA.email.upper(),), (BO.email,)])
    with running([sys.executable, "-c", example("python", settings)], tmp_path):
        speaks_the_protocol(settings, at)
    assert database.execute("select email from points").fetchall() == [(BO.email,)]
    database.close()


def test_in_java(settings: Settings, tmp_path: Path) -> None:
    at = external("warehouse", tmp_path)
    (tmp_path / "warehouse.txt").write_text(f"{ADA.email}\n{BO.email}\n")
    with running(java.compiled("Warehouse", example("java", settings), tmp_path), tmp_path):
        speaks_the_protocol(settings, at)
    assert (tmp_path / "warehouse.txt").read_text() == f"{BO.email}\n"
