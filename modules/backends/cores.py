"""How many threads to start: the cores this process may use, fewer than the machine's in a container."""

import math
import os
import platform
from pathlib import Path
from typing import Final

import psutil

_CPUINFO: Final = Path("/proc/cpuinfo")
_CGROUPS: Final = Path("/sys/fs/cgroup")


def usable_cores(cgroups: Path = _CGROUPS) -> int:
    """Physical cores, no more than the process is allowed to run on (affinity) and than its time is worth (the quota
    of its control group, version 2 or 1); at least one."""
    limits = [psutil.cpu_count(logical=False) or 1, _allowed(), _quota(cgroups)]
    return max(1, min(limit for limit in limits if limit is not None))


def media_threads(*, is_alone: bool) -> int:
    """For a media model: one core is left to the rest of the program, and half of them where text is written as well."""
    cores = usable_cores()
    return max(1, cores - 1 if is_alone else cores // 2)


def processor_name() -> str:
    """As its maker calls it, where the system tells."""
    try:
        lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _allowed() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def _quota(cgroups: Path) -> int | None:
    """In cores, rounded up; None where nothing is set."""
    try:
        if (second := cgroups / "cpu.max").is_file():
            allowed, period = second.read_text(encoding="ascii").split()
        else:
            first = cgroups / "cpu"
            allowed, period = (
                (first / name).read_text(encoding="ascii") for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            )
        cores = int(allowed) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
    return math.ceil(cores) if cores > 0 else None
