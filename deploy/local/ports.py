"""TCP ports on 127.0.0.1."""

import fcntl
import os
import random
import socket
import tempfile
import threading
from functools import cache
from pathlib import Path

from deploy.local.failure import NotStarted, StackError

HOST = "127.0.0.1"
# Below the range that Linux and macOS take outgoing ports from: what is free stays free until it is used.
_CHOICE = range(20000, 32000)


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Whether a server accepts connections there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0


def require_free(port: int, whose: str) -> None:
    """Raises NotStarted when something listens there already."""
    if not is_free(port):
        raise NotStarted(
            f"port {port} on {HOST}, which {whose} needs, is in use: end the program that listens there, "
            "or choose another port"
        )


def choose(count: int, run: int = 1) -> list[int]:
    """So many different ports that are free now, each with the `run - 1` behind it.

    They are kept for this process as long as it lives: neither it nor another process of this user chooses one
    of them again, though nothing listens there yet.
    """
    found: list[int] = []
    with _choosing:
        for first in random.sample(_CHOICE, len(_CHOICE)):
            wanted = range(first, first + run)
            if all(map(is_free, wanted)) and _reserve(wanted):
                found.append(first)
            if len(found) == count:
                return found
    raise StackError(f"no {count} free ports between {_CHOICE.start} and {_CHOICE.stop} on {HOST}")


_choosing = threading.Lock()
_reserved: set[int] = set()


def _reserve(wanted: range) -> bool:
    """Whether no living process has chosen one of them; from then on this one has."""
    if not _reserved.isdisjoint(wanted):
        return False
    book = _book()
    if book is not None:
        try:
            fcntl.lockf(book, fcntl.LOCK_EX | fcntl.LOCK_NB, len(wanted), wanted.start)
        except OSError:
            return False
    _reserved.update(wanted)
    return True


@cache
def _book() -> int | None:
    """A file of which byte n stands for port n: who has chosen the port locks the byte until it ends.

    None where the file is another user's: what is free now must do then.
    """
    path = Path(tempfile.gettempdir()) / f"lethe-ports-{os.geteuid()}"
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
