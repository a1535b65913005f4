"""A program of its own: ties its life to its parent's, then becomes the program that is named behind it.

    python -I -S child.py PARENT_PID DEATH_SIGNAL UID:GID|- PROGRAM ARGUMENT...

A fresh process instead of a `preexec_fn` keeps Python code out of a forked, multi-threaded parent.
On Linux the kernel sends DEATH_SIGNAL when the parent's thread that started this ends (prctl(2)). The setting
survives the exec but not a change of user, so the user changes first. Elsewhere it is left out: a leftover
program is then found and ended at the next start.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(parent_pid: int, death_signal: int, account: str, command: list[str]) -> None:
    """Never returns when all goes well."""
    if account != "-":
        uid, gid = (int(part) for part in account.split(":"))
        os.setgroups([gid])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent_pid:
            sys.exit("the program that started this one is gone")
    try:
        os.execv(command[0], command)  # noqa: S606  # becoming that program is the purpose
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run: {error.strerror}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
