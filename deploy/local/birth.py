"""When a process began, told so that a changed clock does not matter: with its pid it names one process for good."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

_TOLERANCE_S = 2.0
_START_TICKS = 22 - 3  # proc_pid_stat(5) numbers fields from 1; what we split begins with the third


def of(pid: int) -> dict[str, str | float]:
    """What tells this process from a later one with the same pid; JSON can hold it.

    On Linux the kernel's clock ticks at its start, and the boot that they count from. Elsewhere its wall-clock
    time. Raises psutil.NoSuchProcess.
    """
    if sys.platform != "linux":
        return {"started": psutil.Process(pid).create_time()}
    try:
        # The program's name stands in parentheses and may hold spaces and parentheses itself.
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(pid) from None
    return {"boot_id": boot_id, "start_ticks": int(after_name[_START_TICKS])}


def fits(pid: int, recorded: Mapping[str, object]) -> bool:
    """Whether the process of that pid is the one that `of` was asked about. Raises psutil.NoSuchProcess."""
    now = of(pid)
    if isinstance(started := now.get("started"), float):
        then = recorded.get("started")
        return isinstance(then, int | float) and abs(started - then) < _TOLERANCE_S
    return all(recorded.get(name) == value for name, value in now.items())
