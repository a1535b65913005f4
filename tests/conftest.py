"""Fixtures for tests against real Kafka and PostgreSQL.

LETHE_TEST_KAFKA (host:port) and LETHE_TEST_POSTGRES (a DSN) name a stack that runs already: a quicker loop.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.local import kafka
from deploy.local.stack import Stack
from tests.support import shared_stack
from tests.support.endpoints import Endpoints

_SHARED = pytest.StashKey[shared_stack.SharedStack]()


def pytest_configure(config: pytest.Config) -> None:
    """Only the main process owns the stack."""
    if not hasattr(config, "workerinput"):
        config.stash[_SHARED] = shared_stack.SharedStack()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tells an xdist worker where to ask."""
    shared = node.config.stash[_SHARED]  # type: ignore[attr-defined]  # xdist's WorkerController has no public type
    node.workerinput["lethe_stack"] = shared.listen()  # type: ignore[attr-defined]  # likewise


def pytest_unconfigure(config: pytest.Config) -> None:
    """Runs after an interrupted run too."""
    shared = config.stash.get(_SHARED, None)
    if shared is not None:
        shared.stop()


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Endpoints:
    """The Kafka and PostgreSQL that all tests share: keep to your own `prefix` and `database`."""
    worker = getattr(request.config, "workerinput", None)
    if worker is not None:
        return shared_stack.ask(*worker["lethe_stack"])
    return request.config.stash[_SHARED].endpoints()


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh prefix for topics, groups and transactional ids; the topics are deleted after the test."""
    name = f"t{uuid.uuid4().hex[:10]}."
    bootstrap = request.getfixturevalue("stack").bootstrap if "stack" in request.fixturenames else None
    yield name
    if bootstrap is not None:
        _delete_topics(bootstrap, name)


@pytest.fixture
def database(stack: Endpoints) -> Iterator[str]:
    """The DSN of a fresh, empty database, dropped after the test."""
    name = f"t{uuid.uuid4().hex[:10]}"
    yield stack.create_database(name)
    stack.drop_database(name)


@pytest.fixture
def stack_dir() -> Iterator[Path]:
    """An empty directory for a stack. Not under `tmp_path`: as root, PostgreSQL's account must pass through
    the directories above it, and every start of pytest closes its own to others.
    """
    with tempfile.TemporaryDirectory(prefix="lethe-tests-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def _module_stack() -> Iterator[Stack]:
    with (
        tempfile.TemporaryDirectory(prefix="lethe-tests-", ignore_cleanup_errors=True) as directory,
        Stack.ephemeral(Path(directory), jvm_options=kafka.QUICK_START) as running,
    ):
        yield running


@pytest.fixture
def own_stack(_module_stack: Stack) -> Stack:
    """A stack of this module's own, to kill and restart: both servers run when the test begins."""
    _module_stack.start()
    return _module_stack


def _delete_topics(bootstrap: str, prefix: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    found = [topic for topic in admin.list_topics(timeout=10).topics if topic.startswith(prefix)]
    for deleted in (admin.delete_topics(found) if found else {}).values():
        with suppress(KafkaException):  # the test deleted it itself, a moment ago
            deleted.result(10)
