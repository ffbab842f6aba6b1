"""What a child may take of the machine. It limits itself, before it reads anything of its own code."""

import ctypes
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import resource

# Above this process's own, so that the Linux kernel, short of memory, ends a child before the server.
_OOM_SCORE: Final = "300"
# winnt.h
_EXTENDED_LIMITS: Final = 9  # JobObjectExtendedLimitInformation
_PROCESS_MEMORY: Final = 0x100
_KILL_ON_CLOSE: Final = 0x2000
_BELOW_NORMAL: Final = 0x4000  # priority class


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessLimits:
    """None: no limit.

    `memory_bytes`, with `is_resident` False, is the most address space: the allocation that exceeds it fails (Linux;
    Windows counts committed memory). With `is_resident` True, for libraries that reserve much more than they use, it is
    what is in memory: the parent looks once a second while it waits for an answer and kills the child (all systems).
    macOS ignores limits of address space, so the parent looks there in either case.
    `cpu_seconds` and `file_bytes` (the largest file that can be written; 0 for none) hold on Linux and macOS.
    `niceness` is added to the child's own, 0 to 19; any above 0 is "below normal" on Windows.
    """

    memory_bytes: int | None = None
    is_resident: bool = False
    cpu_seconds: int | None = None
    file_bytes: int | None = None
    niceness: int = 0

    @property
    def watched_bytes(self) -> int | None:
        """What the parent has to compare the child's resident memory with."""
        return self.memory_bytes if self.is_resident or sys.platform == "darwin" else None

    def apply(self) -> None:
        """To this process and all that it starts from now on. What the system does not have is passed over."""
        if sys.platform == "win32":
            _enter_job(memory_bytes=None if self.is_resident else self.memory_bytes, is_nice=self.niceness > 0)
            return
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")
        if self.niceness:
            os.nice(self.niceness)
        wanted = {
            resource.RLIMIT_AS: None if self.is_resident else self.memory_bytes,
            resource.RLIMIT_CPU: self.cpu_seconds,
            resource.RLIMIT_FSIZE: self.file_bytes,
            resource.RLIMIT_CORE: 0,
        }
        for kind, most in wanted.items():
            if most is not None:
                with suppress(ValueError, OSError):
                    resource.setrlimit(kind, (most, most))


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", ctypes.c_uint32),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", ctypes.c_uint32),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", ctypes.c_uint32),
        ("SchedulingClass", ctypes.c_uint32),
    )


class _ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION of winnt.h."""

    _fields_ = (
        ("BasicLimitInformation", _BasicLimits),
        ("IoInfo", ctypes.c_uint64 * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


if sys.platform == "win32":

    def _enter_job(*, memory_bytes: int | None, is_nice: bool) -> None:
        """A job of its own, so that all it starts ends with it. The only handle stays open in this process; when the
        system closes it, at this process's end of any kind, it ends the job's other processes."""
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        for function in (kernel.CreateJobObjectW, kernel.GetCurrentProcess):
            function.restype = ctypes.c_void_p
        limits = _ExtendedLimits()
        limits.BasicLimitInformation.LimitFlags = _KILL_ON_CLOSE | (_PROCESS_MEMORY if memory_bytes else 0)
        limits.ProcessMemoryLimit = memory_bytes or 0
        job = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
        this_process = ctypes.c_void_p(kernel.GetCurrentProcess())
        kernel.SetInformationJobObject(job, _EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits))
        kernel.AssignProcessToJobObject(job, this_process)
        if is_nice:
            kernel.SetPriorityClass(this_process, _BELOW_NORMAL)
