"""PostgreSQL refuses to run as root: whom it runs as then, and the least that account may enter."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

from deploy.local.failure import StackError
from deploy.local.process import Account

# Accounts that exist on their own; none is created.
_CANDIDATES = ("postgres", "nobody")


def for_server() -> Account | None:
    """None when we are an ordinary user already. Raises StackError when root finds nobody to run it as."""
    if os.geteuid() != 0:
        return None
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise StackError(f"PostgreSQL does not run as root and there is no account {' or '.join(_CANDIDATES)}: add one")


def let_through(path: Path, account: Account) -> None:
    """Makes every directory above `path` passable (not readable) for the account, where it is not already."""
    for directory in path.absolute().parents:
        status = directory.stat()
        if not _may(status, account, stat.S_IXUSR):
            directory.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)


def let_read(tree: Path, account: Account) -> None:
    """Makes installed programs readable and runnable for the account where a strict umask closed them."""
    if _may(tree.stat(), account, stat.S_IRUSR | stat.S_IXUSR):
        return
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def give(path: Path, account: Account) -> None:
    """Makes the account the owner of one file or directory."""
    os.chown(path, account.uid, account.gid)


def _may(status: os.stat_result, account: Account, owner_bits: int) -> bool:
    if status.st_uid == account.uid:
        wanted = owner_bits
    elif status.st_gid == account.gid:
        wanted = owner_bits >> 3
    else:
        wanted = owner_bits >> 6
    return status.st_mode & wanted == wanted
