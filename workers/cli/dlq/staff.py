"""Who sits at the command line, for the ledger."""

import os
import pwd
import socket


def name() -> str:
    """`user@host` by the operating system, which no environment variable changes; behind sudo who called it, too."""
    user = _user(os.getuid())
    caller = os.environ.get("SUDO_UID", "")
    if os.getuid() == 0 and caller.isdecimal():
        user = f"{_user(int(caller))} as {user}"
    return f"{user}@{socket.gethostname()}"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
