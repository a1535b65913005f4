"""One worker `web` for each file of tests: every test has addresses of its own."""

from collections.abc import Iterator

import pytest

from tests.support.endpoints import Endpoints
from tests.support.website import Website, website


@pytest.fixture(scope="module")
def site(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Website]:
    """The pages for people."""
    with website(stack, tmp_path_factory.mktemp("site")) as running:
        yield running
