"""The embedded stack: real servers that keep their data, recover, and never outlive their owner."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psutil
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from deploy.local import birth, ports
from deploy.local.failure import NotStarted, StackError
from deploy.local.kafka import QUICK_START
from deploy.local.process import Program
from deploy.local.stack import Ports, Stack

TOPIC = "kept"


def fresh(directory: Path) -> Stack:
    return Stack.ephemeral(directory / "stack", jvm_options=QUICK_START)


def publish(bootstrap: str, value: bytes) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    if TOPIC not in admin.list_topics(timeout=10).topics:
        admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(10)
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    producer.produce(TOPIC, value)
    assert producer.flush(20) == 0


def published(bootstrap: str, count: int) -> list[bytes]:
    """The first so many records of the topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False})
    consumer.assign([TopicPartition(TOPIC, 0, OFFSET_BEGINNING)])
    found: list[bytes] = []
    deadline = time.monotonic() + 60
    while len(found) < count and time.monotonic() < deadline:
        record = consumer.poll(0.5)
        if record is not None and record.error() is None:
            found.append(record.value() or b"")
    consumer.close()
    return found


async def remember(dsn: str, value: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("create table if not exists kept (value text)")
    await connection.execute("insert into kept values ($1)", value)
    await connection.close()


async def remembered(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("select value from kept order by value")
    await connection.close()
    return [row["value"] for row in rows]


def until(holds: Callable[[], bool], timeout_s: float = 60) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False


async def test_what_was_acknowledged_survives_an_ordered_restart(stack_dir: Path) -> None:
    first = fresh(stack_dir)
    with first:
        publish(first.bootstrap, b"one")
        await remember(first.dsn(), "one")
    # On other ports, as a second `Stack` of the same directory may be.
    second = fresh(stack_dir)
    with second:
        assert published(second.bootstrap, 1) == [b"one"]
        assert await remembered(second.dsn()) == ["one"]
    assert not ports.answers(second.kafka.port)
    assert not ports.answers(second.postgres.port)


async def test_what_was_acknowledged_survives_kill_9(own_stack: Stack) -> None:
    publish(own_stack.bootstrap, b"before the kill")
    await remember(own_stack.dsn(), "before the kill")
    own_stack.kafka.kill()
    own_stack.postgres.kill()
    with pytest.raises(StackError, match="Kafka ended unexpectedly"):
        own_stack.check()

    own_stack.start()

    assert b"before the kill" in published(own_stack.bootstrap, 1)
    assert "before the kill" in await remembered(own_stack.dsn())


def test_starting_a_running_stack_changes_nothing(own_stack: Stack) -> None:
    pids = own_stack.kafka.pid, own_stack.postgres.pid
    own_stack.start()
    assert (own_stack.kafka.pid, own_stack.postgres.pid) == pids


def test_a_second_stack_in_the_same_directory_is_refused(own_stack: Stack) -> None:
    with pytest.raises(StackError, match=rf"already runs in .* \(process {os.getpid()}\)"):
        Stack.ephemeral(own_stack.data_dir).start()
    own_stack.check()


@pytest.mark.parametrize("taken", Ports._fields)
def test_a_port_in_use_is_said_before_anything_starts(stack_dir: Path, taken: str) -> None:
    chosen = Ports.free()
    with socket.create_server((ports.HOST, getattr(chosen, taken))):
        stack = Stack(stack_dir / "stack", chosen)
        with pytest.raises(StackError, match=f"port {getattr(chosen, taken)} on 127.0.0.1.* is in use"):
            stack.start()
    assert stack.kafka.pid is None
    assert stack.postgres.pid is None


def occupied_at_the_last_moment(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """Another program takes the controller's port after it was found free and before Kafka binds it."""
    other = socket.socket()
    prepare = stack.kafka._format

    def prepare_too_long(java: list[str]) -> None:
        prepare(java)
        if not other.getsockname()[1]:
            other.bind((ports.HOST, stack.kafka.controller_port))
            other.listen()

    monkeypatch.setattr(stack.kafka, "_format", prepare_too_long)
    return other


def test_a_port_lost_at_the_last_moment_is_named(stack_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack(stack_dir / "stack", Ports.free(), jvm_options=QUICK_START)
    with (
        occupied_at_the_last_moment(stack, monkeypatch),
        pytest.raises(NotStarted, match=f"port {stack.kafka.controller_port} on 127.0.0.1, which Kafka's controller"),
    ):
        stack.start()
    assert stack.kafka.pid is None
    assert stack.postgres.pid is None


async def test_ports_of_our_own_choice_are_chosen_anew_when_one_is_lost(
    stack_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = fresh(stack_dir)
    first = stack.kafka.port
    with occupied_at_the_last_moment(stack, monkeypatch), stack:
        assert stack.kafka.port != first
        publish(stack.bootstrap, b"one")
        await remember(stack.dsn(), "one")


def test_a_running_stack_never_moves(own_stack: Stack) -> None:
    own_stack.stop()
    with (
        socket.create_server((ports.HOST, own_stack.postgres.port)),
        pytest.raises(NotStarted, match=f"port {own_stack.postgres.port} .* is in use"),
    ):
        own_stack.start()


@pytest.mark.parametrize(
    ("setting", "reason"),
    [("num.network.threads", "could not be prepared: .*num.network.threads"), ("metric.reporters", "ERROR .*no such")],
)
def test_a_broker_that_cannot_start_says_why(stack_dir: Path, setting: str, reason: str) -> None:
    stack = Stack.ephemeral(stack_dir / "stack", kafka_overrides={setting: "no such"}, jvm_options=QUICK_START)
    with pytest.raises(StackError, match=rf"Kafka.*{reason}"):
        stack.start()


def test_a_server_that_cannot_start_says_why_and_is_gone(stack_dir: Path) -> None:
    wrong = {"shared_buffers": "no size"}
    stack = Stack.ephemeral(stack_dir / "stack", postgres_overrides=wrong, jvm_options=QUICK_START)
    with pytest.raises(StackError, match=r"PostgreSQL ended while starting \(exit code 1\): .*shared_buffers"):
        stack.start()
    assert stack.kafka.pid is None


def test_kafka_makes_no_topic_by_mistake(own_stack: Stack) -> None:
    producer = Producer({"bootstrap.servers": own_stack.bootstrap, "message.timeout.ms": 2000})
    producer.produce("mistyped", b"x")
    producer.flush(10)
    admin = AdminClient({"bootstrap.servers": own_stack.bootstrap})
    assert "mistyped" not in admin.list_topics(timeout=10).topics


async def test_postgres_wants_its_password_and_never_runs_as_root(own_stack: Stack) -> None:
    server = psutil.Process(own_stack.postgres.pid)
    assert server.uids().effective != 0
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(own_stack.dsn(), password="wrong")
    password_file = own_stack.data_dir / "postgres" / "password"
    assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
    assert password_file.stat().st_uid == os.geteuid()


async def test_a_failed_statement_leaves_no_value_in_the_log(own_stack: Stack) -> None:
    connection = await asyncpg.connect(own_stack.dsn())
    await connection.execute("create table if not exists once (name text primary key)")
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.executemany("insert into once values ($1)", [("Ada Planted",), ("Ada Planted",)])
    with pytest.raises(asyncpg.PostgresError):
        await connection.execute("select 'Ada Planted'::int")
    await connection.close()
    log = own_stack.postgres.log.read_text()
    assert "duplicate key" in log
    assert "insert into" not in log
    assert "DETAIL" not in log


async def test_durability_is_on(own_stack: Stack) -> None:
    connection = await asyncpg.connect(own_stack.dsn())
    assert await connection.fetchval("show fsync") == "on"
    assert await connection.fetchval("show synchronous_commit") == "on"
    await connection.close()


def test_the_servers_end_with_the_process_that_started_them(stack_dir: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from deploy.local.stack import Stack\n"
        "stack = Stack.ephemeral(Path(sys.argv[1])); stack.start()\n"
        "print(stack.kafka.pid, stack.postgres.pid, flush=True); time.sleep(600)\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program, str(stack_dir / "stack")], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    with owner.stdout:
        servers = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]
    assert len(servers) == 2

    owner.send_signal(signal.SIGKILL)
    owner.wait()
    if sys.platform != "linux":  # where the kernel does not end them, the next start does
        fresh(stack_dir).start()
    assert until(lambda: not any(map(psutil.Process.is_running, servers)))


@pytest.mark.parametrize("clock_step_s", [0, 600, -600])
def test_a_leftover_of_a_crashed_run_is_ended(
    tmp_path: Path, clock_step_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "server.properties"
    forgotten = Program("a server", tmp_path / "process.json", marker)
    program = [sys.executable, "-c", "import time; time.sleep(600)", str(marker)]
    forgotten.spawn(program, tmp_path / "log", signal.SIGTERM)
    server = psutil.Process(forgotten.pid)
    # while one program becomes another, its command line reads as empty for a moment
    assert until(lambda: (line := server.cmdline()) and str(marker) in line and "-I" not in line)
    if sys.platform == "linux":  # a changed clock changes what the boot time, and with it a start time, seems to be
        began = server.create_time()
        monkeypatch.setattr(psutil.Process, "create_time", lambda process: began + clock_step_s)

    Program("a server", tmp_path / "process.json", marker).end_leftover(signal.SIGTERM, 10)

    assert until(lambda: forgotten.pid is None)


@pytest.mark.parametrize("differs", ["when it began", "the boot", "its command line"])
def test_a_stranger_that_got_the_same_pid_is_left_alone(tmp_path: Path, differs: str) -> None:
    marker = tmp_path / "server.properties"
    argument = "something else" if differs == "its command line" else str(marker)
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", argument])
    try:
        began = birth.of(stranger.pid)
        if differs == "when it began":
            began = {name: value if name == "boot_id" else float(value) - 6000 for name, value in began.items()}
        elif differs == "the boot":
            began = {"boot_id": "another", "start_ticks": began.get("start_ticks", 0)}
        record = tmp_path / "process.json"
        record.write_text(json.dumps({"pid": stranger.pid, **began}))
        Program("a server", record, marker).end_leftover(signal.SIGTERM, 1)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("record", ["", "{", "[]", "{}", '{"pid": "x"}', '{"pid": 999999999}'])
def test_a_record_that_names_nobody_ends_nobody(tmp_path: Path, record: str) -> None:
    path = tmp_path / "process.json"
    path.write_text(record)
    Program("a server", path, tmp_path).end_leftover(signal.SIGTERM, 1)
    assert not path.exists()


def test_databases_are_created_once_and_dropped(own_stack: Stack) -> None:
    server = own_stack.postgres
    assert server.create_database("some-shop") == server.create_database("some-shop")
    server.drop_database("some-shop")
    server.drop_database("some-shop")
