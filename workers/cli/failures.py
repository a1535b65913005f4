"""What a person reads when a command fails: one line that says what to do, never a value of an event.

An error's own text is shown only where Lethe wrote it. Exceptions of drivers may quote rows and records, so they
are named by class, and a trace is frames without texts.
"""

import os
import sys
import traceback

import typer

from workers.errors import LetheError, Stop

EXIT_FAILED = 1
EXIT_MUST_ACT = 78
EXIT_INTERRUPTED = 130


def report(error: BaseException, debug: bool) -> int:
    """Print the line for an error (with `debug` also the frames) on standard error; returns the exit code."""
    if isinstance(error, BrokenPipeError):
        _discard_output()
        return EXIT_FAILED
    if debug:
        print(frames(error), file=sys.stderr)
    typer.secho(f"lethe: {line(error)}", err=True, fg="red")
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    return EXIT_MUST_ACT if isinstance(error, Stop) else EXIT_FAILED


def _discard_output() -> None:
    """Who read our output has gone (`lethe dlq ls | head`): there is nobody to tell anything, at exit neither."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def line(error: BaseException) -> str:
    """What went wrong and what to do."""
    if isinstance(error, LetheError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    package = type(error).__module__.partition(".")[0]
    kind = type(error).__name__
    if package in ("aiokafka", "confluent_kafka", "cimpl"):
        return f"Kafka did not do what was asked ({kind}): is the broker at LETHE_KAFKA_BOOTSTRAP? Try `lethe doctor`"
    if package == "asyncpg":
        return f"PostgreSQL did not do what was asked ({kind}): see its log, and try `lethe doctor`"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, ConnectionError | TimeoutError):
        return f"a server does not answer ({kind}): try `lethe doctor`"
    return f"unexpected {kind}: a fault in Lethe; run it again with `lethe --debug …` and report what it prints"


def frames(error: BaseException) -> str:
    """Where it happened, and what it was raised from: files, lines, functions and classes, no texts."""
    parts = []
    link: BaseException | None = error
    while link is not None:
        parts.append("".join(traceback.format_tb(link.__traceback__)) + type(link).__name__)
        link = link.__cause__ or link.__context__
    return "\nfrom:\n".join(parts)


def is_for_the_parser(error: BaseException) -> bool:
    """Whether the command line's own machinery handles it: an exit, an abort, a usage error."""
    if isinstance(error, typer.Exit | typer.Abort):
        return True
    return any(kind.__name__ == "ClickException" for kind in type(error).__mro__)
