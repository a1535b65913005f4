"""TCP ports on 127.0.0.1."""

import random
import socket

from deploy.local.failure import StackError

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
    """Raises StackError when something listens there already."""
    if not is_free(port):
        raise StackError(
            f"port {port} on {HOST}, which {whose} needs, is in use: end the program that listens there, "
            "or choose another port"
        )


def choose(count: int) -> list[int]:
    """So many different ports that are free now."""
    found: set[int] = set()
    for port in random.sample(_CHOICE, 2000):
        if is_free(port):
            found.add(port)
        if len(found) == count:
            return list(found)
    raise StackError(f"no {count} free ports between {_CHOICE.start} and {_CHOICE.stop} on {HOST}")
