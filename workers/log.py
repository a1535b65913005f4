"""Structured logs. What is logged: counts, codes, positions, class names. Never a value of an event.

Exception texts are left out on purpose: a database's DETAIL line or a validator's message may echo what a person
wrote. The class name and the place in the code say enough to find the cause; `--debug` adds frames, not values.
"""

import logging
import sys
import traceback
from typing import Literal

import structlog


def configure(form: Literal["json", "console"] = "json", level: str = "INFO") -> None:
    """Send structlog's and the libraries' logs to standard error in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _frames_only,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("aiokafka", "faust", "mode", "aiohttp.access", "kafka", "flufl.bounce"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    # aiosmtpd repeats what a mail server is told: addresses, and whole commands.
    logging.getLogger("mail").setLevel(logging.CRITICAL + 1)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; its events are snake_case names with keyword facts."""
    return structlog.stdlib.get_logger(name)


def _frames_only(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Replace an exception by its class and frames: file, line, function; no text, no values."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        event["event"] = _without_text(str(event["event"]), error)
        frames = traceback.extract_tb(error.__traceback__)
        event["frames"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _without_text(message: str, error: BaseException) -> str:
    """The message without what the exception says: asyncio and mode put its repr into theirs, on a line of its own."""
    first, *_ = message.splitlines() or [""]
    for text in (repr(error), str(error), *map(str, error.args)):
        if text:
            first = first.replace(text, type(error).__name__)
    return first
