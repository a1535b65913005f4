"""A record whose header's name is not UTF-8 is parked; what lies around it goes on, in its order."""

import asyncio
from pathlib import Path

import asyncpg

from tests.support import broken_headers, lethe
from tests.support.endpoints import Endpoints
from tests.support.orders import Published, placed
from tests.support.worker_process import worker_process


async def letters(dsn: str) -> list[tuple[str, str, bool]]:
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("select code, reason, sealed is not null from dead_letters")
    await connection.close()
    return [tuple(row) for row in rows]


def order(number: int, *names: str) -> Published:
    one = placed(f"o{number}", event_id=f"e{number}")
    return one._replace(headers=[*one.headers, *((name, b"1") for name in names)])


def test_it_is_parked_and_the_others_go_on(stack: Endpoints, prefix: str, database: str, tmp_path: Path) -> None:
    settings = lethe.prepare(stack, prefix, database, tmp_path)
    with worker_process(settings):
        first, second = (
            [order(1), order(2, broken_headers.MARKER), order(3)],
            [order(4, broken_headers.MARKER), order(5)],
        )
        asyncio.run(broken_headers.publish(settings, first, 0))
        asyncio.run(broken_headers.publish(settings, second, 0, "lz4"))
        lethe.wait_drained(settings)
    received = lethe.read_topics(settings, ["carrier.gls.addresses"])
    assert sorted((record.key or b"").decode() for record in received) == ["o1", "o3", "o5"]
    assert asyncio.run(letters(database)) == [("header_invalid", "a header's name is not valid UTF-8", True)] * 2
