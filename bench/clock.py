"""Starts a contender's clock: the same way in every process, whatever framework it runs."""

import functools
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiokafka.consumer.fetcher import Fetcher

_METHODS = ("fetched_records", "next_record")
Method = Callable[..., Awaitable[Any]]


def start_on_first_records(path: Path) -> None:
    """Write the wall clock (ns) to `path` when aiokafka first hands over records, in bulk or one by one.

    All contenders read through aiokafka. The hook takes itself out at once and costs nothing afterwards.
    """
    originals: dict[str, Method] = {name: getattr(Fetcher, name) for name in _METHODS}
    for name, original in originals.items():
        setattr(Fetcher, name, _watched(original, originals, path))


def _watched(original: Method, originals: dict[str, Method], path: Path) -> Method:
    @functools.wraps(original)
    async def watched(*arguments: Any, **options: Any) -> Any:
        records = await original(*arguments, **options)
        if records and originals:
            path.write_text(str(time.time_ns()))  # noqa: ASYNC240  # once, a few bytes
            for name, method in originals.items():
                setattr(Fetcher, name, method)
            originals.clear()
        return records

    return watched
