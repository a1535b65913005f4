"""A worker's logging for the length of a test, put back afterwards."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import structlog

from workers import log


@contextmanager
def configured(form: Literal["json", "console"] = "json", level: str = "INFO") -> Iterator[None]:
    """Log as a worker does, to what is standard error at this moment."""
    root = logging.getLogger()
    handlers, root_level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in ("aiokafka", "faust", "mode", "aiohttp.access", "kafka")}
    log.configure(form, level)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(root_level)
        for name, kept in levels.items():
            logging.getLogger(name).setLevel(kept)
        structlog.reset_defaults()
