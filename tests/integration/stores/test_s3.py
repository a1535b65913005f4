"""What is particular to S3: prefixes that others begin with, buckets that are not there, the check."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import stores
from tests.support.sites import s3
from tests.support.sites.s3 import S3Site
from tests.support.stores import Desk, customers, desk
from workers.stores import connectors
from workers.stores.connector import Misconfigured


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[S3Site]:
    async with s3.site(tmp_path) as made:
        yield made


@pytest.fixture
async def at(database: str, tmp_path: Path, site: S3Site) -> AsyncIterator[Desk]:
    async with desk(database, tmp_path, site.store) as made:
        yield made


async def test_a_name_that_begins_like_another_is_another(site: S3Site, at: Desk) -> None:
    people = customers(12)
    await site.plant(people)
    before = await site.content(people[1:])
    (result,) = await at.ask(site.store, "erase", people[:1])
    assert result.counts == {"files": 2, "labels": 2}
    assert await site.content(people[1:]) == before


async def test_a_bucket_that_is_not_there_is_no_absence(site: S3Site, at: Desk) -> None:
    gone = {"what": "files", "bucket": "not-there", "prefix": "of/{customer_ref}/"}
    site.store = site.store.model_copy(update={"options": {**site.store.options, "objects": [gone]}})
    with pytest.raises(AssertionError, match="no receipt: the store did not do it: NoSuchBucket"):
        await at.ask(site.store, "verify", customers(1))


async def test_the_check_reaches_each_bucket(site: S3Site, monkeypatch: pytest.MonkeyPatch) -> None:
    connector = connectors.connect(site.store, stores.AROUND)
    assert await connector.check() == ["bucket print-files: has no versions", "bucket labels: has no versions"]
    await connector.close()
    monkeypatch.setenv(s3.SECRET, "wrong")
    with pytest.raises(Misconfigured, match="SignatureDoesNotMatch"):
        await connectors.connect(site.store, stores.AROUND).check()


@pytest.mark.parametrize(
    "item",
    [
        {"what": "files", "bucket": "files", "prefix": "of/{customer_ref}"},
        {"what": "files", "bucket": "files", "prefix": "of/"},
        {"what": "files", "bucket": "files", "prefix": "of/{customer_ref}/", "key": "{customer_ref}"},
        {"what": "files", "bucket": "files"},
    ],
)
def test_a_template_that_could_hit_others_is_refused(item: dict[str, Any]) -> None:
    options = {"endpoint": "https://s3.example", "access_key": "env:A", "secret_key": "env:B", "objects": [item]}
    with pytest.raises(Misconfigured, match=r"options\.objects\.0"):
        connectors.connect(stores.store("s3", options), stores.AROUND)
