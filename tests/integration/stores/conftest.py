"""One real server of each kind."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.endpoints import Endpoints
from tests.support.sites import folder, http, mysql, postgresql, redis, s3
from tests.support.sites.site import Site
from tests.support.stores import Desk, desk

KINDS = ("postgresql", "redis", "http", "folder", "s3", *(("mysql",) if mysql.IS_AVAILABLE else ()))


@pytest.fixture(params=KINDS)
async def site(request: pytest.FixtureRequest, stack: Endpoints, tmp_path: Path) -> AsyncIterator[Site]:
    """A server with nobody's data on it."""
    async with AsyncExitStack() as resources:
        yield await start(request.param, stack, tmp_path, resources)


async def start(kind: str, stack: Endpoints, tmp_path: Path, resources: AsyncExitStack) -> Site:
    """The server of one kind; it ends with `resources`."""
    if kind == "postgresql":
        name = f"shop{tmp_path.name}{id(resources)}".replace("-", "").lower()[:60]
        dsn = stack.create_database(name)
        resources.callback(stack.drop_database, name)
        return await resources.enter_async_context(postgresql.site(dsn))
    if kind == "redis":
        return await resources.enter_async_context(redis.site(tmp_path))
    if kind == "mysql":
        return await resources.enter_async_context(mysql.site(tmp_path))
    if kind == "s3":
        return await resources.enter_async_context(s3.site(tmp_path))
    if kind == "http":
        return await resources.enter_async_context(http.site())
    return folder.FolderSite(tmp_path)


@pytest.fixture
async def at(database: str, tmp_path: Path, site: Site) -> AsyncIterator[Desk]:
    """A runner for the site's store."""
    async with desk(database, tmp_path, site.store) as made:
        yield made
