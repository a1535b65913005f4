"""A prepared Lethe with one store downstream: a folder with a line per customer."""

from pathlib import Path

import pytest

from tests.support import planted
from tests.support.endpoints import Endpoints
from workers.settings import Settings

WORKERS = ("shipping", "relay", "newsletter", "stores", "mailer", "requests")


@pytest.fixture
def chosen() -> dict[str, object]:
    """Further settings; a module overrides this."""
    return {}


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path, chosen: dict[str, object]) -> Settings:
    return planted.prepare(stack, prefix, database, tmp_path, **chosen)
