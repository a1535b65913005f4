"""The broker and PostgreSQL restart under load, killed and asked: workers wait in place, then go on by themselves."""

import uuid
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from tests.fault.conftest import QUICK, Upstream
from tests.support import lethe
from tests.support.worker_process import worker_process
from workers.settings import Settings


@pytest.fixture
def settings(own_stack: Stack, tmp_path: Path) -> Settings:
    """A fresh Lethe on servers that this module may kill."""
    name = f"t{uuid.uuid4().hex[:10]}"
    own_stack.postgres.create_database(name)
    return lethe.prepare(own_stack, f"{name}.", own_stack.dsn(name), tmp_path, **QUICK)


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_the_broker_restarts(way: str, own_stack: Stack, settings: Settings) -> None:
    orders = Upstream(settings, 4000, 41)
    orders.publish(share=0.5)
    with worker_process(settings) as worker:
        getattr(own_stack.kafka, way)()
        own_stack.kafka.start()
        orders.publish()
        orders.verdict()
        assert worker.exit_code is None, "the worker should have outlived the broker"


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_postgresql_restarts(way: str, own_stack: Stack, settings: Settings) -> None:
    orders = Upstream(settings, 4000, 42)
    orders.publish(share=0.5)
    with worker_process(settings) as worker:
        getattr(own_stack.postgres, way)()
        orders.publish(share=0.5)
        own_stack.postgres.start()
        orders.publish()
        orders.verdict()
        assert worker.exit_code is None, "the worker should have outlived PostgreSQL"
